// The commands of cordonctl as a person types them, against a controller's service on loopback.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/base/clock.h"
#include "common/base/strings.h"
#include "common/crypto/x25519.h"
#include "common/wire/audit_chain.h"
#include "common/wire/enrollment_file.h"
#include "common/wire/operator_identity.h"
#include "common/wire/trust.h"
#include "common/wire/unlock.h"
#include "controller/cordonctl/run.h"
#include "tests/support/ctl_call.h"
#include "tests/support/fake_operator.h"
#include "tests/support/temp_folder.h"

namespace cordon::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using State = v1::OrderOutcome;

using Result = testing::CtlResult;

class Cordonctl : public ::testing::Test {
 protected:
  Cordonctl() { WriteIdentity(controller_.IdentityText()); }

  void WriteIdentity(const std::string& text) {
    std::ofstream(Identity()) << text;
    std::filesystem::permissions(Identity(),
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  std::string Identity() const { return (folder_ / "identity").string(); }
  std::string File(const std::string& name) const { return (folder_ / name).string(); }

  Result Call(std::vector<std::string> args, const std::string& typed = "") {
    return testing::CallCtl(Identity(), std::move(args), typed,
                            [this] { return WallNowNanos() + clock_error_nanos_; });
  }

  v1::Order Ordered(size_t i = 0) const {
    v1::TrustBundle bundle;
    bundle.ParseFromString(fleet_.Trust().bundle());
    return testing::Must(VerifyOrder(controller_.Orders().at(i), bundle));
  }

  testing::TempFolder folder_;
  testing::TestFleet fleet_;
  testing::FakeOperator controller_{fleet_};
  int64_t clock_error_nanos_ = 0;
};

const std::vector<std::string> kIsolate = {"isolate",    "front-desk", "--level",  "essential",
                                           "--fallback", "hold",       "--reason", "a remote session"};

std::vector<std::string> With(std::vector<std::string> args, const std::vector<std::string>& more) {
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

TEST_F(Cordonctl, ListsHostsForPeopleAndMachines) {
  v1::Host& host = controller_.AddHost("front-desk", "leeds");
  host.mutable_receipt()->set_enforced_level(v1::LEVEL_NO_LATERAL);
  host.mutable_receipt()->set_containment(v1::CONTAINMENT_PARTIAL);
  host.mutable_receipt()->add_reasons("eth1 has no egress hook");
  controller_.SignAsHost(host, host.mutable_receipt());
  controller_.AddHost("server", "york").set_state(v1::HOST_STATE_OFFLINE);
  const Result table = Call({"hosts"});
  EXPECT_EQ(table.status, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("no-lateral  partial"));
  EXPECT_THAT(table.out, HasSubstr("    eth1 has no egress hook\n"));
  EXPECT_THAT(table.out, HasSubstr("offline"));
  const Result json = Call({"hosts", "--site", "leeds", "-o", "json"});
  const boost::json::object line = boost::json::parse(json.out).as_object();
  EXPECT_EQ(line.at("host"), "front-desk");
  EXPECT_EQ(line.at("state"), "connected");
  EXPECT_EQ(line.at("receipt").at("containment"), "partial");
  EXPECT_EQ(line.at("receipt").at("verified"), true);
}

TEST_F(Cordonctl, ISO7_ShowsAReceiptThatTheHostDidNotSignAsUnverified) {
  v1::Host& host = controller_.AddHost("front-desk", "leeds");
  host.mutable_receipt()->set_enforced_level(v1::LEVEL_DARK);
  host.mutable_receipt()->set_containment(v1::CONTAINMENT_CONTAINED);
  controller_.SignAsHost(host, host.mutable_receipt());
  controller_.health.set_answered(true);
  *controller_.health.mutable_host() = host;
  *controller_.health.mutable_report()->mutable_receipt() = host.receipt();
  EXPECT_THAT(Call({"hosts"}).out, HasSubstr("dark   contained")) << "the positive control";
  EXPECT_THAT(Call({"health"}).out, HasSubstr("dark, contained")) << "the positive control";

  host.mutable_receipt()->mutable_signature()->back() ^= 1;
  *controller_.health.mutable_report()->mutable_receipt() = host.receipt();
  for (const char* command : {"hosts", "health"}) {
    const Result table = Call({command});
    EXPECT_THAT(table.out, HasSubstr("unverified")) << table.out;
    EXPECT_THAT(table.out, HasSubstr("not by the host's key")) << table.out;
    EXPECT_THAT(table.out, Not(HasSubstr("contained"))) << table.out;
    const Result json = Call({command, "-o", "json"});
    EXPECT_THAT(json.out, HasSubstr("\"containment\":\"unverified\"")) << json.out;
    EXPECT_THAT(json.out, HasSubstr("\"verified\":false"));
  }
}

TEST_F(Cordonctl, ISO7_AnOrderIsNotDoneByAReceiptThatTheHostDidNotSign) {
  controller_.AnswerWith(controller_.AddHost("front-desk", "leeds"), State::STATE_DONE);
  const Result good = Call(With(kIsolate, {"--wait"}));
  EXPECT_EQ(good.status, 0) << "the positive control: " << good.out << good.err;
  using Receipts = testing::FakeOperator::Receipts;
  const std::pair<Receipts, const char*> lies[] = {
      {Receipts::kForged, "not by the host's key"},
      {Receipts::kOfAnotherOrder, "the receipt is of another order"},
      {Receipts::kNone, "the host's receipt is missing"}};
  for (const auto& [receipts, why] : lies) {
    controller_.TellReceipts(receipts);
    const Result told = Call(With(kIsolate, {"--wait"}));
    EXPECT_EQ(told.status, 1) << why;
    EXPECT_THAT(told.out, HasSubstr(why));
    EXPECT_THAT(told.out, Not(HasSubstr("contained")));
    EXPECT_THAT(Call(With(kIsolate, {"--wait", "-o", "json"})).out, HasSubstr("\"unverified\"")) << why;
  }
}

TEST_F(Cordonctl, SignsAnIsolateOrderThatAgentsAccept) {
  const v1::Host host = controller_.AddHost("front-desk", "leeds");
  std::ofstream(File("clinic.toml"))
      << "name = \"clinic\"\n[[allow]]\ndirection = \"out\"\nprotocol = \"tcp\"\n"
         "networks = [\"10.0.0.1\"]\nports = [443]\n";
  controller_.newest_sequence = static_cast<uint64_t>(WallNowNanos() / 1'000) + 60'000'000;
  const Result result =
      Call(With(kIsolate, {"--profile", File("clinic.toml"), "--for", "4h", "--incident", "7"}));
  ASSERT_EQ(result.status, 0) << result.err;
  const v1::Order order = Ordered();
  EXPECT_EQ(order.isolate().level(), v1::LEVEL_ESSENTIAL);
  EXPECT_EQ(order.isolate().fallback(), v1::FALLBACK_HOLD);
  EXPECT_EQ(order.isolate().profile().allow(0).ports(0).first(), 443U);
  EXPECT_EQ(order.isolate().lease().length().seconds(), 4 * 3'600);
  EXPECT_EQ(order.target().hosts(0).host_id(), host.host_id());
  EXPECT_EQ(order.target().hosts(0).name(), "front-desk");
  EXPECT_EQ(order.sequence(), controller_.newest_sequence + 1);
}

TEST_F(Cordonctl, SendsNothingOnADryRun) {
  controller_.AddHost("front-desk", "leeds");
  const Result result = Call(With(kIsolate, {"--dry-run"}));
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("Nothing was sent"));
  EXPECT_THAT(result.out, HasSubstr("isolate to essential, fallback hold on 1 host: leeds 1"));
  EXPECT_TRUE(controller_.Orders().empty());
}

v1::RehearseResponse Rehearsed(const v1::Host& host, uint32_t hosts) {
  v1::RehearseResponse answer;
  *answer.mutable_host() = host;
  answer.set_answered(true);
  answer.set_hosts(hosts);
  v1::FlowForecast& flow = *answer.mutable_rehearsal()->add_flows();
  flow.set_executable("/usr/bin/smbclient");
  flow.set_direction(v1::DIRECTION_OUT);
  flow.set_protocol(v1::TRANSPORT_PROTOCOL_TCP);
  flow.set_remote_address("10.2.0.200");
  flow.set_remote_name("nas.example.vet");
  flow.set_port(445);
  flow.set_live(true);
  flow.set_because("essential: no rule of the profile allows it");
  return answer;
}

TEST_F(Cordonctl, RehearsesOnADryRun) {
  const v1::Host host = controller_.AddHost("front-desk", "leeds");
  controller_.rehearsals = {Rehearsed(host, 1)};
  const Result table = Call(With(kIsolate, {"--dry-run"}));
  EXPECT_EQ(table.status, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("front-desk: 1 kind of flow would be cut, 0 would stay"));
  EXPECT_THAT(table.out, HasSubstr("10.2.0.200 (nas.example.vet)"));
  EXPECT_TRUE(controller_.Orders().empty());
  EXPECT_EQ(controller_.Rehearsed().action().level(), v1::LEVEL_ESSENTIAL);
  EXPECT_EQ(controller_.Rehearsed().target().hosts(0).host_id(), host.host_id());

  const Result json = Call(With(kIsolate, {"--dry-run", "-o", "json"}));
  std::istringstream lines(json.out);
  std::string line;
  std::getline(lines, line);
  EXPECT_TRUE(boost::json::parse(line).at("dry_run").as_bool());
  std::getline(lines, line);
  const boost::json::object answer = boost::json::parse(line).as_object();
  EXPECT_EQ(answer.at("host"), "front-desk");
  EXPECT_TRUE(answer.at("answered").as_bool());
  EXPECT_EQ(answer.at("rehearsal").at("flows").at(0).at("stays"), false);
}

TEST_F(Cordonctl, SaysWhichHostsDidNotRehearse) {
  const v1::Host host = controller_.AddHost("front-desk", "leeds");
  const v1::Host away = controller_.AddHost("till", "leeds");
  v1::RehearseResponse none;
  *none.mutable_host() = away;
  none.set_error("the host is not connected");
  none.set_hosts(2);
  controller_.rehearsals = {none, Rehearsed(host, 2)};
  const Result result = Call({"isolate", "--site", "leeds", "--level", "essential", "--fallback", "hold",
                              "--reason", "a remote session", "--dry-run"});
  EXPECT_EQ(result.status, 3) << result.err;
  EXPECT_THAT(result.out, HasSubstr("1 of 2 hosts answered"));
  EXPECT_THAT(result.out, HasSubstr("the host is not connected"));
  EXPECT_THAT(result.out, HasSubstr("nas.example.vet"));
}

TEST_F(Cordonctl, AsksBeforeItActsOnASite) {
  controller_.AddHost("front-desk", "leeds");
  controller_.AddHost("till", "leeds");
  const std::vector<std::string> release = {"release", "--site", "leeds", "--reason", "over"};
  const Result alone = Call(release);
  EXPECT_EQ(alone.status, 2);
  EXPECT_THAT(alone.err, HasSubstr("release on 2 hosts: leeds 2"));
  EXPECT_THAT(alone.err, HasSubstr("--yes"));
  EXPECT_EQ(Call(release, "n\n").status, 1);
  EXPECT_TRUE(controller_.Orders().empty());
  EXPECT_EQ(Call(release, "y\n").status, 0);
  EXPECT_EQ(Call(With(release, {"--yes"})).status, 0);
  EXPECT_EQ(controller_.Orders().size(), 2U);
}

TEST_F(Cordonctl, WaitsForEveryHostAcrossARestartOfTheController) {
  controller_.AnswerWith(controller_.AddHost("front-desk", "leeds"), State::STATE_DONE);
  controller_.broken_watches = 1;
  const Result result = Call(With(kIsolate, {"--wait", "-o", "json"}));
  EXPECT_EQ(result.status, 0) << result.err;
  const std::string last = result.out.substr(result.out.find('\n') + 1);
  const boost::json::object line = boost::json::parse(last).as_object();
  EXPECT_EQ(line.at("state"), "done");
  EXPECT_EQ(line.at("receipt").at("apply_nanos"), 7'000'000);
  EXPECT_THAT(result.err, Not(HasSubstr("\r"))) << "quiet in a pipe";
}

TEST_F(Cordonctl, SaysWhichHostsRefusedAndWhichDidNotAnswer) {
  controller_.AnswerWith(controller_.AddHost("front-desk", "leeds"), State::STATE_DONE);
  const v1::Host& till = controller_.AddHost("till", "leeds");
  const std::vector<std::string> wait = {"release", "--all",  "--reason",  "over",
                                         "--yes",   "--wait", "--timeout", "1s"};
  const Result late = Call(wait);
  EXPECT_EQ(late.status, 3) << late.err;
  EXPECT_THAT(late.out, HasSubstr("1 of 2 hosts done, 1 waiting; slowest: till"));
  EXPECT_THAT(late.out, HasSubstr("till  pending"));
  controller_.AnswerWith(till, State::STATE_REFUSED, "not signed by enough");
  const Result refused = Call(wait);
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.out, HasSubstr("till  refused  not signed by enough"));
}

TEST_F(Cordonctl, WaitsForAHostThatGoesDarkNoLongerThanItCanBeHeard) {
  const v1::Host& host = controller_.AddHost("front-desk", "leeds");
  controller_.AnswerWith(host, State::STATE_GOING_DARK, "accepted: it is not heard from then on");
  std::vector<std::string> dark = With(kIsolate, {"--wait", "--timeout", "30s"});
  *std::ranges::find(dark, "essential") = "dark";
  const Result result = Call(dark);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("0 of 1 host done, 1 going dark, not to be heard again\n"));
  EXPECT_THAT(result.out, HasSubstr("front-desk  going-dark  accepted: it is not heard from then on"));
  EXPECT_THAT(Call(With(dark, {"-o", "json"})).out, HasSubstr("\"state\":\"going-dark\""));
  controller_.AnswerWith(host, State::STATE_FAILED, "the kernel says no");
  EXPECT_EQ(Call(dark).status, 1);
}

TEST_F(Cordonctl, TheLevelThatFollowsTheLeaseIsTheOperatorsChoice) {
  controller_.AddHost("front-desk", "leeds");
  const Result result = Call(With(kIsolate, {"--for", "4h", "--then", "no-lateral"}));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("for 4h and then no-lateral, fallback hold"));
  v1::Order order;
  ASSERT_TRUE(order.ParseFromString(controller_.Orders().back().order()));
  EXPECT_EQ(order.isolate().lease().then(), v1::LEVEL_NO_LATERAL);
  ASSERT_EQ(Call(With(kIsolate, {"--for", "4h"})).status, 0);
  ASSERT_TRUE(order.ParseFromString(controller_.Orders().back().order()));
  EXPECT_EQ(order.isolate().lease().then(), v1::LEVEL_UNSPECIFIED);
  EXPECT_EQ(Call(With(kIsolate, {"--then", "no-lateral"})).status, 2) << "of what lease?";
  EXPECT_EQ(Call(With(kIsolate, {"--for", "4h", "--then", "essential"})).status, 2) << "not below the level";
  EXPECT_EQ(Call(With(kIsolate, {"--for", "4h", "--then", "dark"})).status, 2);
  EXPECT_EQ(controller_.Orders().size(), 2U);
}

TEST_F(Cordonctl, DrawsALineOfProgressOnATerminal) {
  controller_.AnswerWith(controller_.AddHost("front-desk", "leeds"), State::STATE_DONE);
  EXPECT_THAT(Call(With(kIsolate, {"--wait"}), "\n").err, HasSubstr("\r1 of 1 host done"));
}

TEST_F(Cordonctl, RefusesBadUsageBeforeAnythingIsSent) {
  controller_.AddHost("front-desk", "leeds");
  std::ofstream(File("bad.toml")) << "name = \"x\"\nports = 5\n";
  EXPECT_EQ(Call({}).status, 2);
  EXPECT_EQ(Call({"isolate", "front-desk"}).status, 2);
  EXPECT_EQ(
      Call({"isolate", "front-desk", "--level", "observe", "--fallback", "hold", "--reason", "x"}).status, 2);
  EXPECT_EQ(Call(With(kIsolate, {"--for", "soon"})).status, 2);
  EXPECT_EQ(Call(With(kIsolate, {"--for", "5s"})).status, 2);
  EXPECT_EQ(Call(With(kIsolate, {"--message", std::string(501, 'x')})).status, 2);
  EXPECT_EQ(Call({"release", "--reason", "x"}).status, 2);
  EXPECT_EQ(Call({"events", "--since", "yesterday"}).status, 2);
  const Result profile = Call(With(kIsolate, {"--profile", File("bad.toml")}));
  EXPECT_EQ(profile.status, 2);
  EXPECT_THAT(profile.err, HasSubstr("bad.toml:2: 'ports' is not known here"));
  EXPECT_EQ(Call({"release", "nobody", "--reason", "x"}).status, 1);
  EXPECT_TRUE(controller_.Orders().empty());
}

TEST_F(Cordonctl, AUT3_RefusesASequenceFarAhead) {
  controller_.AddHost("front-desk", "leeds");
  controller_.newest_sequence = static_cast<uint64_t>(WallNowNanos() / 1'000) + 3'600'000'000;
  const Result result = Call(kIsolate);
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("ahead of this machine's clock"));
  EXPECT_TRUE(controller_.Orders().empty());
}

TEST_F(Cordonctl, AUT1_TakesNoEnrollmentWithAnotherTrustBundleOrCa) {
  const std::vector<std::string> create = {
      "enrollment", "create", "--site", "leeds", "--label", "role=front-desk",
      "--uses",     "5",      "--for",  "7d",    "--out",   File("leeds.enroll")};
  controller_.enrollment = fleet_.MakeEnrollment(controller_.Address());
  controller_.enrollment.clear_trust_bundle_sha256();
  const Result good = Call(create);
  ASSERT_EQ(good.status, 0) << good.err;
  std::ifstream file(File("leeds.enroll"));
  std::ostringstream text;
  text << file.rdbuf();
  const v1::EnrollmentFile written = testing::Must(ReadEnrollmentFile(text.str()));
  EXPECT_EQ(written.trust_bundle_sha256(), Sha256(fleet_.Trust().bundle()));
  EXPECT_EQ(std::filesystem::status(File("leeds.enroll")).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);

  std::filesystem::remove(File("leeds.enroll"));
  controller_.enrollment.set_trust_bundle_sha256(std::string(32, 'x'));
  EXPECT_THAT(Call(create).err, HasSubstr("another trust bundle"));
  controller_.enrollment.clear_trust_bundle_sha256();
  controller_.enrollment.set_ca_pem("other");
  const Result other = Call(create);
  EXPECT_EQ(other.status, 1);
  EXPECT_THAT(other.err, HasSubstr("another CA"));
  EXPECT_FALSE(std::filesystem::exists(File("leeds.enroll")));
}

TEST_F(Cordonctl, AUT1_ShowsNoSecretsOnATerminal) {
  controller_.enrollment = fleet_.MakeEnrollment(controller_.Address());
  const Result result = Call({"enrollment", "create", "--site", "leeds", "--uses", "5", "--for", "7d"}, "\n");
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.out, "");
}

TEST_F(Cordonctl, PrintsEventsAndPollsHealth) {
  const v1::Host host = controller_.AddHost("front-desk", "leeds");
  v1::QueryEventsResponse& event = controller_.events.emplace_back();
  event.set_host_name("front-desk");
  event.mutable_event()->mutable_agent_lifecycle()->set_state(v1::AgentLifecycle::STATE_STARTED);
  const Result events = Call({"events", "front-desk", "--class", "control", "--since", "1h"});
  EXPECT_EQ(events.out, "1970-01-01T00:00:00.000Z  front-desk  agent started\n") << events.err;

  *controller_.health.mutable_host() = host;
  controller_.health.set_hosts(1);
  controller_.health.set_error("not connected");
  const Result silent = Call({"health", "front-desk"});
  EXPECT_EQ(silent.status, 3);
  EXPECT_THAT(silent.out, HasSubstr("NO ANSWER"));
  controller_.health.set_answered(true);
  v1::PartHealth& part = *controller_.health.mutable_report()->add_parts();
  part.set_part("cordon.process");
  part.set_detail("no BTF");
  const Result health = Call({"health", "front-desk"});
  EXPECT_EQ(health.status, 0);
  EXPECT_THAT(health.out, HasSubstr("cordon.process: NOT SERVING, proven never: no BTF"));
}

TEST_F(Cordonctl, FindsTheFirstBadEntryOfTheAuditLogOnlineAndOffline) {
  std::string previous(32, '\0');
  for (uint64_t i = 1; i <= 3; ++i) {
    v1::AuditEntry& entry = controller_.audit.emplace_back();
    entry.set_index(i);
    entry.set_time_unix_nanos(static_cast<int64_t>(i));
    entry.set_actor("controller");
    entry.set_action("start");
    entry.set_previous_hash(previous);
    previous = AuditHash(entry);
    entry.set_hash(previous);
  }
  EXPECT_EQ(Call({"audit", "verify", "--export", File("audit.jsonl")}).status, 0);
  const Result offline = Call({"audit", "verify", File("audit.jsonl")});
  EXPECT_EQ(offline.status, 0) << offline.err;
  EXPECT_THAT(offline.out, HasSubstr("3 entries"));
  controller_.audit[1].set_actor("somebody");
  EXPECT_EQ(Call({"audit", "export", File("bad.jsonl")}).status, 1);
  const Result bad = Call({"audit", "verify", File("bad.jsonl")});
  EXPECT_EQ(bad.status, 1);
  EXPECT_THAT(bad.err, HasSubstr("bad.jsonl:2"));
}

TEST_F(Cordonctl, SaysWhatIsWrongWithAnIdentityOrAController) {
  const testing::TestFleet other;
  const testing::FakeOperator stranger(other);
  const Result wrong_ca = Call({"--controller", stranger.Address(), "hosts"});
  EXPECT_EQ(wrong_ca.status, 1);
  EXPECT_THAT(wrong_ca.err, HasSubstr("the CA in the identity file did not issue"));
  const Result nobody = Call({"--controller", "127.0.0.1:1", "hosts"});
  EXPECT_EQ(nobody.status, 1);
  EXPECT_THAT(nobody.err, HasSubstr("cannot reach the controller at 127.0.0.1:1"));
  controller_.fleet_id = NewUuid();
  EXPECT_THAT(Call({"hosts"}).err, HasSubstr("serves fleet"));
  controller_.fleet_id.clear();
  std::filesystem::permissions(Identity(), std::filesystem::perms::all);
  const Result open = Call({"hosts"});
  EXPECT_EQ(open.status, 0);
  EXPECT_THAT(open.err, HasSubstr("chmod 600"));
  WriteIdentity("nonsense");
  const Result damaged = Call({"hosts"});
  EXPECT_EQ(damaged.status, 1);
  EXPECT_THAT(damaged.err, HasSubstr(Identity()));
}

// Of an operator who answers unlock challenges, and one host that they can answer.
class CordonctlUnlock : public Cordonctl {
 protected:
  CordonctlUnlock() {
    v1::OperatorIdentity identity = testing::Must(ReadOperatorIdentity(controller_.IdentityText()));
    identity.set_unlock_key_pem(testing::Must(PrivateKeyToPem(*person_)));
    WriteIdentity(WriteOperatorIdentity(identity));
    v1::Host& host = controller_.AddHost("front-desk", "leeds");
    host.mutable_facts()->set_unlock_public_key(testing::Must(RawX25519PublicKey(*host_key_)));
    host_id_ = host.host_id();
  }

  // What the host expects.
  std::string Expected(const UnlockChallenge& challenge) const {
    return InGroups(
        testing::Must(UnlockCode({.fleet_id = fleet_.FleetId(),
                                  .host_id = host_id_,
                                  .host_name = "front-desk",
                                  .operator_id = fleet_.OperatorId(),
                                  .host_public_key = testing::Must(RawX25519PublicKey(*host_key_)),
                                  .operator_public_key = testing::Must(RawX25519PublicKey(*person_))},
                                 challenge, *host_key_)));
  }

  const KeyPtr person_ = testing::Must(NewX25519Key());
  const KeyPtr host_key_ = testing::Must(NewX25519Key());
  std::string host_id_;
  const UnlockChallenge challenge_ = testing::Must(NewUnlockChallenge(v1::LEVEL_OBSERVE, 4 * kUnlockHour));
  const std::string shown_ = InGroups(WriteUnlockChallenge(challenge_));
};

TEST_F(CordonctlUnlock, AUT5_SaysWhatACodeGrantsAsksAndSpellsIt) {
  const Result asked = Call({"unlock-code", shown_, "--host", "front-desk"}, "y\n");
  EXPECT_EQ(asked.status, 0) << asked.err;
  EXPECT_THAT(asked.err, HasSubstr("opens front-desk at site leeds"));
  EXPECT_THAT(asked.err, HasSubstr("to observe (everything is open) for 4h, once"));
  EXPECT_THAT(asked.out, HasSubstr(Expected(challenge_) + "\n\n"));
  const Result refused = Call({"unlock-code", shown_, "--host", "front-desk"}, "n\n");
  EXPECT_EQ(refused.status, 1);
  EXPECT_EQ(refused.out, "");
  const Result json = Call({"unlock-code", shown_, "--host", host_id_, "--yes", "-o", "json"});
  const boost::json::object line = boost::json::parse(json.out).as_object();
  EXPECT_EQ(line.at("code").as_string(), Expected(challenge_));
  EXPECT_EQ(line.at("level"), "observe");
  EXPECT_EQ(line.at("host"), "front-desk");
}

TEST_F(CordonctlUnlock, AUT5_AnswersFromAKeySheetWithoutControllerOrClock) {
  const Result sheet = Call({"hosts", "keysheet"});
  ASSERT_EQ(sheet.status, 0) << sheet.err;
  EXPECT_THAT(sheet.err, HasSubstr("1 hosts of 1"));
  std::ofstream(File("sheet")) << sheet.out;
  clock_error_nanos_ = 10LL * 365 * 24 * kUnlockHour;  // the certificate has ended long ago
  const std::vector<std::string> offline = {"unlock-code", shown_,        "--host", "Front-Desk",
                                            "--sheet",     File("sheet"), "--yes"};
  const Result answer = Call(offline);
  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_THAT(answer.out, HasSubstr(Expected(challenge_)));
  EXPECT_EQ(Call({"hosts"}).status, 1) << "everything else needs the certificate";
}

TEST_F(CordonctlUnlock, AUT5_NamesWhatIsWrong) {
  std::string misheard = shown_;
  misheard[0] = misheard[0] == '7' ? '8' : '7';
  const Result wrong = Call({"unlock-code", misheard, "--host", "front-desk", "--yes"});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.err, HasSubstr("a letter is wrong"));
  EXPECT_EQ(Call({"unlock-code", shown_, "--host", "nobody", "--yes"}).status, 1);
  std::ofstream(File("sheet")) << "nonsense";
  EXPECT_EQ(Call({"unlock-code", shown_, "--host", "front-desk", "--sheet", File("sheet"), "--yes"}).status,
            2);
  WriteIdentity(controller_.IdentityText());  // of an operator without an unlock key
  const Result keyless = Call({"unlock-code", shown_, "--host", "front-desk", "--yes"});
  EXPECT_EQ(keyless.status, 1);
  EXPECT_THAT(keyless.err, HasSubstr("no unlock key"));
  EXPECT_EQ(keyless.out, "");
}

}  // namespace
}  // namespace cordon::ctl
