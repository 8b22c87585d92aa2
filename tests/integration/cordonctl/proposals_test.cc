// Two people with a cordonctl each, and a real controller between them (AUT-3): proposals and trust.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/integration/cordonctl/two_people.h"

namespace cordon::ctl {
namespace {

using ::testing::HasSubstr;
using testing::Must;
using ::testing::Not;
using testing::TestOperator;
using Class = v1::Threshold;
using Role = v1::TrustedOperator;

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

}  // namespace
}  // namespace cordon::ctl
