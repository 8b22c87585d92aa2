// Two people with a cordonctl each, and a real controller between them (AUT-3).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "common/base/strings.h"
#include "common/wire/operator_identity.h"
#include "controller/cordonctl/run.h"
#include "tests/support/ctl_call.h"
#include "tests/support/server_box.h"

namespace cordon::ctl {
namespace {

using ::testing::HasSubstr;
using testing::Must;
using ::testing::Not;
using testing::TestOperator;
using Class = v1::Threshold;
using Role = v1::TrustedOperator;

using Result = testing::CtlResult;

class TwoPeople : public ::testing::Test {
 protected:
  TwoPeople() {
    WriteIdentity("alex", box_.Fleet().OperatorId(), box_.Fleet().OperatorKey());
    WriteIdentity("blake", blake_.id, *blake_.key);
  }

  void WriteIdentity(const std::string& name, const std::string& id, EVP_PKEY& key) {
    const TlsIdentity tls = box_.OperatorTls(id);
    const controller::Fleet fleet = Must(box_.Store().GetFleet());
    v1::OperatorIdentity identity;
    identity.set_format(1);
    identity.set_operator_id(id);
    identity.set_name(name);
    identity.set_fleet_id(box_.Fleet().FleetId());
    identity.add_controllers(StrCat("127.0.0.1:", box_.Server().Port()));
    identity.set_ca_pem(box_.Ca().CaPem());
    identity.set_certificate_pem(tls.certificate_pem);
    identity.set_key_pem(tls.key_pem);
    identity.set_signing_key_pem(Must(PrivateKeyToPem(key)));
    identity.set_trust_bundle_sha256(Sha256(fleet.trust_bundle.bundle()));
    identity.set_trust_version(1);
    std::ofstream(File(name)) << WriteOperatorIdentity(identity);
    std::filesystem::permissions(File(name),
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  std::string File(const std::string& name) const { return (folder_ / name).string(); }

  Result Call(const std::string& who, std::vector<std::string> args, const std::string& typed = "") {
    return testing::CallCtl(File(who), std::move(args), typed, WallNowNanos);
  }
  static std::vector<std::string> Dark(const std::vector<std::string>& more = {}) {
    std::vector<std::string> args = {"isolate",    "reception-1", "--level",  "dark",
                                     "--fallback", "hold",        "--reason", "a remote session"};
    return With(std::move(args), more);
  }
  static std::vector<std::string> With(std::vector<std::string> args, const std::vector<std::string>& more) {
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  std::string Newest() {
    v1::Order order;
    order.ParseFromString(Must(box_.Store().ListOrders(1, "")).orders.at(0).order().order());
    return order.order_id();
  }
  // Proposed by alex; its id.
  std::string Propose() {
    const Result proposed = Call("alex", Dark());
    if (proposed.status != 4) throw std::runtime_error(proposed.out + proposed.err);
    return Newest();
  }
  v1::ProposalState StateOf(const std::string& id) { return Must(box_.Store().GetOrder(id)).proposal; }
  size_t Due() { return Must(box_.Store().OrdersFor(host_.id, {})).size(); }

  testing::TempFolder folder_;
  TestOperator blake_;
  testing::ServerBox box_{{}, [this](v1::TrustBundle& bundle) {
                            Trust(blake_, {Role::ROLE_ISOLATE, Role::ROLE_TRUST}, &bundle);
                            testing::SetThreshold(Class::ACTION_CLASS_ISOLATE_HARD, 2, &bundle);
                          }};
  testing::TestHost host_ = box_.AddHost();
};

TEST_F(TwoPeople, AUT3_OneProposesAndTheOtherApproves) {
  const Result proposed = Call("alex", Dark());
  EXPECT_EQ(proposed.status, 4) << proposed.err;
  const std::string id = Newest();
  EXPECT_THAT(proposed.out, HasSubstr("Nothing has happened yet: it has 1 of 2 signatures"));
  EXPECT_THAT(proposed.out, HasSubstr("cordonctl orders approve " + id));
  EXPECT_THAT(proposed.out, HasSubstr(blake_.id.substr(0, 8)));
  EXPECT_EQ(Due(), 0U);
  EXPECT_THAT(Call("blake", {"orders"}).out, HasSubstr("1 of 2, open"));
  EXPECT_THAT(Call("blake", {"orders", "show", id}).out,
              HasSubstr("may sign  alex (" + blake_.id.substr(0, 8)));

  const Result twice = Call("alex", {"orders", "approve", id, "--yes"});
  EXPECT_EQ(twice.status, 1);
  EXPECT_THAT(twice.err, HasSubstr("you have signed it already"));
  EXPECT_EQ(Due(), 0U);

  const Result no = Call("blake", {"orders", "approve", id}, "n\n");
  EXPECT_EQ(no.status, 1);
  EXPECT_THAT(no.err, HasSubstr("nothing was signed"));
  EXPECT_EQ(Call("blake", {"orders", "approve", id}).status, 2) << "nobody to ask";
  EXPECT_EQ(StateOf(id), v1::PROPOSAL_STATE_OPEN);

  const Result approved = Call("blake", {"orders", "approve", id}, "y\n");
  EXPECT_EQ(approved.status, 0) << approved.err;
  EXPECT_THAT(approved.err, HasSubstr("action    isolate to dark, fallback hold"));
  EXPECT_THAT(approved.err, HasSubstr("reason    a remote session"));
  EXPECT_THAT(approved.err, HasSubstr("sign: isolate to dark, fallback hold on 1 host: leeds 1"));
  EXPECT_THAT(approved.out, HasSubstr("has 2 of 2 signatures and is on its way to 1 host"));
  EXPECT_EQ(Due(), 1U);
  EXPECT_EQ(Call("blake", {"orders", "approve", id, "--yes"}).status, 1);
}

TEST_F(TwoPeople, AUT3_WithdrawnIsOver) {
  const std::string id = Propose();
  EXPECT_EQ(Call("blake", {"orders", "withdraw", id}).status, 2) << "a reason is required";
  const Result withdrawn = Call("blake", {"orders", "withdraw", id, "--reason", "a false alarm"});
  EXPECT_EQ(withdrawn.status, 0) << withdrawn.err;
  EXPECT_EQ(StateOf(id), v1::PROPOSAL_STATE_WITHDRAWN);
  const Result approved = Call("blake", {"orders", "approve", id, "--yes"});
  EXPECT_EQ(approved.status, 1);
  EXPECT_THAT(approved.err, HasSubstr("it is withdrawn"));
  EXPECT_THAT(Call("alex", {"orders"}).out, HasSubstr("1 of 2, withdrawn"));
  EXPECT_EQ(Call("alex", {"orders", "watch", id}).status, 1);
  EXPECT_EQ(Due(), 0U);
}

TEST_F(TwoPeople, AUT3_TellsMachinesHowAProposalStands) {
  const boost::json::object proposed = boost::json::parse(Call("alex", Dark({"-o", "json"})).out).as_object();
  const std::string id(proposed.at("order_id").as_string());
  EXPECT_EQ(proposed.at("proposal"), "open");
  EXPECT_EQ(proposed.at("signatures"), 1);
  EXPECT_EQ(proposed.at("signatures_needed"), 2);
  EXPECT_EQ(proposed.at("may_sign").at(0).at("operator_id"), blake_.id.c_str());
  const boost::json::object shown =
      boost::json::parse(Call("blake", {"orders", "show", id, "-o", "json"}).out).as_object();
  EXPECT_EQ(shown.at("proposal"), "open");
  EXPECT_EQ(shown.at("signatures_needed"), 2);
  EXPECT_EQ(shown.at("signed_by").at(0), box_.Fleet().OperatorId().c_str());
  const Result approved = Call("blake", {"orders", "approve", id, "--yes", "-o", "json"});
  EXPECT_EQ(boost::json::parse(approved.out).at("proposal"), "completed");
}

TEST_F(TwoPeople, AUT3_WaitsForTheOtherPersonAndThenForTheHosts) {
  const Result alone = Call("alex", Dark({"--wait", "--timeout", "1s"}));
  EXPECT_EQ(alone.status, 4) << alone.err;
  EXPECT_THAT(alone.err, HasSubstr("still waits for signatures"));
  const std::string id = Newest();
  Result watched;
  std::thread watcher([&] { watched = Call("alex", {"orders", "watch", id, "--timeout", "30s"}); });
  EXPECT_EQ(Call("blake", {"orders", "approve", id, "--yes"}).status, 0);
  const std::vector outcomes = {[&] {
    v1::OrderOutcome outcome;
    outcome.set_order_id(id);
    outcome.set_host_id(host_.id);
    outcome.set_state(v1::OrderOutcome::STATE_REFUSED);
    return outcome;
  }()};
  EXPECT_EQ(Must(box_.Store().RecordOutcomes(outcomes)).size(), 1U);
  watcher.join();
  EXPECT_EQ(watched.status, 1) << watched.err;
  EXPECT_THAT(watched.out, HasSubstr("refused"));
}

TEST_F(TwoPeople, AUT3_FollowsAChangeOfTrustAndPinsItAnew) {
  v1::TrustBundle next;
  next.ParseFromString(Must(box_.Store().GetFleet()).trust_bundle.bundle());
  next.set_version(2);
  const TestOperator casey;
  testing::Trust(casey, {Role::ROLE_ISOLATE}, &next);
  v1::Order change = testing::BasicOrder(box_.Fleet().FleetId());
  change.clear_target();
  change.mutable_target()->set_all(true);
  change.mutable_trust()->mutable_bundle()->set_bundle(next.SerializeAsString());
  v1::SubmitOrderResponse submitted;
  Must(box_.Submit(box_.Signed(change), &submitted));

  const Result proposed = Call("alex", Dark());
  EXPECT_EQ(proposed.status, 4) << proposed.err;
  EXPECT_THAT(proposed.err, HasSubstr("trust bundle version 2 follows"));
  EXPECT_THAT(proposed.out, HasSubstr(casey.id.substr(0, 8)));
  std::ifstream file(File("alex"));
  std::stringstream text;
  text << file.rdbuf();
  const v1::OperatorIdentity identity = Must(ReadOperatorIdentity(text.str()));
  EXPECT_EQ(identity.trust_version(), 2U);
  EXPECT_EQ(identity.trust_bundle_sha256(), Sha256(next.SerializeAsString()));
  EXPECT_THAT(Call("alex", Dark()).err, Not(HasSubstr("follows"))) << "once";
  // An enrolment file pins what is in force.
  EXPECT_EQ(Call("blake", {"enrollment", "create", "--site", "york", "--uses", "1", "--for", "1h", "--out",
                           File("york.enroll")})
                .status,
            0);
}

TEST_F(TwoPeople, AUT3_WithoutAChainNothingIsSigned) {
  const std::string id = Propose();
  std::ifstream file(File("blake"));
  std::stringstream text;
  text << file.rdbuf();
  v1::OperatorIdentity identity = Must(ReadOperatorIdentity(text.str()));
  identity.mutable_trust_bundle_sha256()->front() ^= 1;
  std::ofstream(File("blake")) << WriteOperatorIdentity(identity);
  const Result approved = Call("blake", {"orders", "approve", id, "--yes"});
  EXPECT_EQ(approved.status, 1);
  EXPECT_THAT(approved.err, HasSubstr("sign nothing before you know why"));
  EXPECT_EQ(StateOf(id), v1::PROPOSAL_STATE_OPEN);
  EXPECT_EQ(Call("blake", {"hosts"}).status, 0) << "who looks needs no trust";
}

TEST_F(TwoPeople, AUT3_AThirdJoinsWithKeysOfTheirOwnAndLeaves) {
  const std::vector<std::string> request = {
      "operator", "request", "--name", "casey", "--out", File("casey.request"), "--no-passphrase"};
  ASSERT_EQ(Call("casey", request).status, 0);
  EXPECT_EQ(Call("casey", request).status, 1) << "keys that wait are not overwritten";
  const std::vector<std::string> add = {"operator",      "add",   File("casey.request"), "--role",
                                        "isolate,trust", "--out", File("casey.welcome"), "--reason",
                                        "holidays"};
  EXPECT_EQ(Call("alex", add).status, 2) << "nobody to ask";
  const Result added = Call("alex", add, "y\n");
  ASSERT_EQ(added.status, 0) << added.err;
  EXPECT_THAT(added.err, HasSubstr("new operator casey"));
  EXPECT_THAT(added.err, HasSubstr("fingerprint of the request: "));
  ASSERT_EQ(Call("casey", {"operator", "accept", File("casey.welcome"), "--yes"}).status, 0);
  EXPECT_FALSE(std::filesystem::exists(File("casey.pending")));
  EXPECT_THAT(Call("casey", {"operator", "list"}).out, HasSubstr("casey"));

  const std::string id = Propose();
  EXPECT_EQ(Call("casey", {"orders", "approve", id, "--yes"}).status, 0);
  EXPECT_EQ(Due(), 2U) << "the change of trust, and dark";

  const std::string second = Propose();
  const std::vector<std::string> remove = {"operator", "remove", "casey", "--reason", "left", "--yes"};
  ASSERT_EQ(Call("blake", remove).status, 0);
  EXPECT_EQ(Call("blake", remove).status, 1) << "there is no such operator now";
  const Result late = Call("casey", {"orders", "approve", second, "--yes"});
  EXPECT_EQ(late.status, 1);
  EXPECT_THAT(late.err, HasSubstr("your signature would not count"));
  EXPECT_EQ(Call("casey", {"orders", "withdraw", second, "--reason", "no"}).status, 1);
}

TEST_F(TwoPeople, AUT3_AHigherThresholdForTrustIsAStepOfItsOwnAndThenNeedsBoth) {
  ASSERT_EQ(Call("alex", {"operator", "threshold", "trust=2", "--reason", "two people", "--yes"}).status, 4)
      << "the new bundle needs blake too";
  const std::string id = Newest();
  const Result approved = Call("blake", {"orders", "approve", id}, "y\n");
  EXPECT_EQ(approved.status, 0) << approved.err;
  EXPECT_THAT(approved.err, HasSubstr("signatures for trust: 1 becomes 2"));

  ASSERT_EQ(Call("casey", {"operator", "request", "--name", "casey", "--out", File("casey.request"),
                           "--no-passphrase"})
                .status,
            0);
  std::vector<std::string> add = {"operator", "add",   File("casey.request"), "--role",   "isolate,trust",
                                  "--yes",    "--out", File("casey.welcome"), "--reason", "holidays"};
  const Result both = Call("alex", With(add, {"--threshold", "trust=3"}));
  EXPECT_EQ(both.status, 1);
  EXPECT_THAT(both.err, HasSubstr("Go in two steps"));
  const Result proposed = Call("alex", add);
  EXPECT_EQ(proposed.status, 4) << proposed.err;
  EXPECT_THAT(proposed.err, HasSubstr("give this command again"));
  EXPECT_FALSE(std::filesystem::exists(File("casey.welcome")));
  EXPECT_EQ(Call("blake", {"orders", "approve", Newest(), "--yes"}).status, 0);
  EXPECT_EQ(Call("alex", add).status, 0);
  EXPECT_TRUE(std::filesystem::exists(File("casey.welcome")));
}

TEST_F(TwoPeople, AUT3_NewKeysOfOneWhoStaysTakeThePlaceOfTheOld) {
  std::filesystem::copy(File("blake"), File("stolen"));
  const std::vector<std::string> rotate = {"operator", "rotate",        "--no-passphrase",
                                           "--reason", "a lost laptop", "--yes"};
  const Result rotated = Call("blake", rotate);
  ASSERT_EQ(rotated.status, 0) << rotated.err;
  EXPECT_THAT(rotated.err, HasSubstr("another signing key"));
  EXPECT_FALSE(std::filesystem::exists(File("blake.pending")));
  const std::string id = Propose();
  const Result stolen = Call("stolen", {"orders", "approve", id, "--yes"});
  EXPECT_EQ(stolen.status, 1);
  EXPECT_THAT(stolen.err, HasSubstr("counts for nothing"));
  EXPECT_EQ(Call("blake", {"orders", "approve", id, "--yes"}).status, 0);

  // Where changes of trust need two, the new keys wait for the other person.
  ASSERT_EQ(Call("alex", {"operator", "threshold", "trust=2", "--reason", "two people", "--yes"}).status, 4);
  ASSERT_EQ(Call("blake", {"orders", "approve", Newest(), "--yes"}).status, 0);
  EXPECT_EQ(Call("blake", rotate).status, 4);
  EXPECT_EQ(Call("blake", rotate).status, 1) << "not yet";
  ASSERT_EQ(Call("alex", {"orders", "approve", Newest(), "--yes"}).status, 0);
  EXPECT_EQ(Call("blake", rotate).status, 0);
  EXPECT_EQ(Call("blake", {"orders", "approve", Propose(), "--yes"}).status, 0);
}

TEST_F(TwoPeople, AUT1_ANewCertificateIsForANewKeyAndTheSameOperator) {
  const auto read = [&] {
    std::ifstream file(File("blake"));
    std::stringstream text;
    text << file.rdbuf();
    return Must(ReadOperatorIdentity(text.str()));
  };
  const v1::OperatorIdentity before = read();
  ASSERT_EQ(Call("blake", {"operator", "renew"}).status, 0);
  const v1::OperatorIdentity after = read();
  EXPECT_NE(after.certificate_pem(), before.certificate_pem());
  EXPECT_NE(after.key_pem(), before.key_pem());
  EXPECT_EQ(after.signing_key_pem(), before.signing_key_pem());
  EXPECT_EQ(Call("blake", {"hosts"}).status, 0);
}

TEST_F(TwoPeople, AUT3_AnotherPassphraseSealsTheSameKeys) {
  std::ofstream(File("new")) << "correct horse battery\n";
  ASSERT_EQ(Call("blake", {"operator", "passphrase", "--new-passphrase-file", File("new")}).status, 0);
  const std::string id = Propose();
  EXPECT_EQ(Call("blake", {"orders", "approve", id, "--yes"}).status, 1) << "sealed, and nobody to ask";
  EXPECT_EQ(Call("blake", {"--passphrase-file", File("new"), "orders", "approve", id, "--yes"}).status, 0);
}

}  // namespace
}  // namespace cordon::ctl
