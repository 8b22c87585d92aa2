// What cordonctl leaves behind and ends with when something goes wrong half-way.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <sstream>

#include "common/base/clock.h"
#include "common/wire/audit_chain.h"
#include "common/wire/operator_identity.h"
#include "common/wire/trust.h"
#include "controller/cordonctl/run.h"
#include "tests/support/ctl_call.h"
#include "tests/support/fake_operator.h"
#include "tests/support/temp_folder.h"

namespace cordon::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CordonctlResults : public ::testing::Test {
 protected:
  CordonctlResults() { WriteText("identity", controller_.IdentityText()); }

  std::string File(const std::string& name) const { return (folder_ / name).string(); }
  void WriteText(const std::string& name, const std::string& text) const {
    std::ofstream(File(name)) << text;
    std::filesystem::permissions(File(name),
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  std::string ReadText(const std::string& name) const {
    std::ifstream file(File(name));
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  testing::CtlResult Call(std::vector<std::string> args) const {
    return testing::CallCtl(File("identity"), std::move(args), "", WallNowNanos);
  }
  testing::CtlResult CallOnAFullDisk(std::vector<std::string> args) const {
    std::istringstream in;
    std::ostream full(nullptr);
    std::ostringstream err;
    const Environment world{.in = in,
                            .out = full,
                            .err = err,
                            .getenv = [](const char*) -> const char* { return nullptr; },
                            .now_unix_nanos = WallNowNanos};
    args.insert(args.begin(), {"--identity", File("identity")});
    const int status = ctl::Run(std::move(args), world);
    return {status, "", err.str()};
  }
  void AddAuditEntries(uint64_t count) {
    std::string previous(32, '\0');
    for (uint64_t i = 1; i <= count; ++i) {
      v1::AuditEntry& entry = controller_.audit.emplace_back();
      entry.set_index(i);
      entry.set_actor("controller");
      entry.set_action("start");
      entry.set_previous_hash(previous);
      previous = AuditHash(entry);
      entry.set_hash(previous);
    }
  }

  testing::TempFolder folder_;
  testing::TestFleet fleet_;
  testing::FakeOperator controller_{fleet_};
};

// The exit status of a cut key sheet or enrolment file is what a script has to go by.
TEST_F(CordonctlResults, OutputThatCannotBeWrittenIsNoSuccess) {
  controller_.AddHost("front-desk", "leeds").mutable_facts()->set_unlock_public_key(std::string(32, 'k'));
  ASSERT_EQ(Call({"hosts", "keysheet"}).status, 0) << "the positive control";
  const testing::CtlResult result = CallOnAFullDisk({"hosts", "keysheet"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("is the disk full?"));
}

TEST_F(CordonctlResults, FollowingEventsEndsWhenTheyCannotBeWritten) {
  controller_.events.emplace_back().mutable_event()->mutable_agent_lifecycle();
  const testing::CtlResult result = CallOnAFullDisk({"events", "--follow"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("is the disk full?"));
}

TEST_F(CordonctlResults, WhatBecameOfOnesOwnKeysIsJsonWhereJsonIsAskedFor) {
  const testing::CtlResult result = Call({"operator", "passphrase", "--no-passphrase", "-o", "json"});
  ASSERT_EQ(result.status, 0) << result.err;
  boost::json::error_code error;
  const boost::json::value line = boost::json::parse(result.out, error);
  ASSERT_FALSE(error) << result.out;
  EXPECT_EQ(line.at("file").as_string(), File("identity"));
  EXPECT_FALSE(line.at("sealed").as_bool());
  EXPECT_THAT(Call({"operator", "passphrase", "--no-passphrase"}).out, HasSubstr("not sealed any more"));
}

TEST_F(CordonctlResults, AnExportThatBreaksOffLeavesTheEarlierOne) {
  AddAuditEntries(3);
  ASSERT_EQ(Call({"audit", "export", File("audit.jsonl")}).status, 0);
  const std::string earlier = ReadText("audit.jsonl");
  ASSERT_FALSE(earlier.empty());
  EXPECT_EQ(std::filesystem::status(File("audit.jsonl")).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);

  controller_.audit.pop_back();
  controller_.ends = {grpc::StatusCode::UNAVAILABLE, "Socket closed"};
  EXPECT_EQ(Call({"audit", "export", File("audit.jsonl")}).status, 1);
  EXPECT_EQ(ReadText("audit.jsonl"), earlier);
  EXPECT_FALSE(std::filesystem::exists(File("audit.jsonl.part")));
}

// It may be the only copy from before somebody changed the log.
TEST_F(CordonctlResults, AnExportThatIsNotGoodLeavesTheEarlierOneAndStandsBesideIt) {
  AddAuditEntries(3);
  ASSERT_EQ(Call({"audit", "export", File("audit.jsonl")}).status, 0);
  const std::string earlier = ReadText("audit.jsonl");

  controller_.audit[1].set_actor("somebody");
  const testing::CtlResult bad = Call({"audit", "export", File("audit.jsonl")});
  EXPECT_EQ(bad.status, 1);
  EXPECT_THAT(bad.err, HasSubstr("audit.jsonl.not-good"));
  EXPECT_EQ(ReadText("audit.jsonl"), earlier);
  EXPECT_THAT(ReadText("audit.jsonl.not-good"), HasSubstr("somebody"));
}

TEST_F(CordonctlResults, AnExportDoesNotReplaceWhatIsNoFile) {
  AddAuditEntries(1);
  EXPECT_EQ(Call({"audit", "export", "/dev/null"}).status, 0);
  EXPECT_FALSE(std::filesystem::is_regular_file("/dev/null"));
}

// A folder can be opened and not be read, as a file on a disk that fails.
TEST_F(CordonctlResults, ALogThatCannotBeReadIsNotCalledWholeOrEmpty) {
  const testing::CtlResult result = Call({"audit", "verify", folder_.Path().string()});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("cannot be read"));
}

TEST_F(CordonctlResults, HostsOfWhichTheControllerSaysNothingInTimeHaveNotAnswered) {
  controller_.AddHost("front-desk", "leeds");
  controller_.ends = {grpc::StatusCode::DEADLINE_EXCEEDED, "late"};
  const testing::CtlResult health = Call({"health"});
  EXPECT_EQ(health.status, 3) << health.err;
  EXPECT_THAT(health.err, HasSubstr("did not answer in time"));
  const testing::CtlResult rehearsal = Call({"isolate", "front-desk", "--level", "essential", "--fallback",
                                             "hold", "--reason", "a remote session", "--dry-run"});
  EXPECT_EQ(rehearsal.status, 3) << rehearsal.err;
  EXPECT_THAT(rehearsal.err, HasSubstr("did not answer in time"));
}

// Who only hears of a failure orders it again, or goes home: the host may be isolated.
TEST_F(CordonctlResults, AnOrderWhoseAnswerIsLostIsNamed) {
  controller_.AddHost("front-desk", "leeds");
  const std::vector<std::string> isolate = {"isolate",    "front-desk", "--level",  "essential",
                                            "--fallback", "hold",       "--reason", "a remote session"};
  controller_.submit_ends = {grpc::StatusCode::UNAVAILABLE, "Socket closed"};
  const testing::CtlResult lost = Call(isolate);
  EXPECT_EQ(lost.status, 1);
  v1::Order order;
  ASSERT_TRUE(order.ParseFromString(controller_.Orders().at(0).order()));
  EXPECT_THAT(lost.err, HasSubstr("may be in force"));
  EXPECT_THAT(lost.err, HasSubstr(order.order_id()));

  controller_.submit_ends = {grpc::StatusCode::PERMISSION_DENIED, "order refused"};
  EXPECT_THAT(Call(isolate).err, Not(HasSubstr("may be in force"))) << "a refusal is an answer";
}

TEST_F(CordonctlResults, HealthOfASiteThatIsTypedWrongIsNoSuccess) {
  controller_.AddHost("front-desk", "leeds");
  const testing::CtlResult result = Call({"health", "--site", "leed"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("no host matches"));
}

TEST_F(CordonctlResults, ALifelineTakesTheHostThatHasTheNameAndNotARevokedOne) {
  controller_.AddHost("till", "leeds").set_state(v1::HOST_STATE_REVOKED);
  const v1::Host till = controller_.AddHost("till", "leeds");
  controller_.AddHost("till", "york");
  const testing::CtlResult result =
      Call({"trust", "lifeline", "Till", "--site", "leeds", "--reason", "the last one", "--yes"});
  ASSERT_EQ(result.status, 0) << result.err;
  v1::TrustBundle bundle;
  bundle.ParseFromString(fleet_.Trust().bundle());
  const v1::Order order = testing::Must(VerifyOrder(controller_.Orders().at(0), bundle));
  const v1::TrustBundle next = testing::Must(ParseTrustBundle(order.trust().bundle()));
  ASSERT_EQ(next.lifelines_size(), 1);
  ASSERT_EQ(next.lifelines(0).host_ids_size(), 1);
  EXPECT_EQ(next.lifelines(0).host_ids(0), till.host_id());
}

// The welcome of somebody who did not know of another CA yet pins the bundle that names it, without it.
TEST_F(CordonctlResults, AUT1_AnIdentityHasTheCasOfTheBundleThatItPins) {
  const testing::TestFleet other;
  v1::TrustBundle bundle;
  bundle.ParseFromString(fleet_.Trust().bundle());
  bundle.add_ca_pem(fleet_.CaPem());
  bundle.add_ca_pem(other.CaPem());
  controller_.trust.set_bundle(bundle.SerializeAsString());
  v1::OperatorIdentity identity = testing::Must(ReadOperatorIdentity(controller_.IdentityText()));
  identity.set_trust_bundle_sha256(Sha256(controller_.trust.bundle()));
  identity.set_trust_version(bundle.version());
  WriteText("identity", WriteOperatorIdentity(identity));

  controller_.enrollment = fleet_.MakeEnrollment(controller_.Address());
  controller_.enrollment.clear_trust_bundle_sha256();
  controller_.enrollment.set_ca_pem(other.CaPem());
  const testing::CtlResult created =
      Call({"enrollment", "create", "--site", "leeds", "--label", "role=front-desk", "--uses", "5", "--for",
            "7d", "--out", File("leeds.enroll")});
  EXPECT_EQ(created.status, 0) << created.err;
  EXPECT_THAT(testing::Must(ReadOperatorIdentity(ReadText("identity"))).ca_pem(), HasSubstr(other.CaPem()));
}

}  // namespace
}  // namespace cordon::ctl
