// Hosts are the witnesses of the audit log (AUT-3): a controller that rolls it back, forks it or keeps it to
// itself finds no host that obeys the orders beside it. Before and after each attack a good order has its
// effect.

#include <fstream>

#include "tests/security/authority/hostile_controller/victim.h"
#include "tests/support/audit_log.h"

namespace cordon::testing {
namespace {

struct Witnessed {
  Witnessed() { people.bundle.set_audit_log_public_key(log.PublicKey()); }
  People people;
  AuditLog log{people.bundle.fleet_id()};
};

class AuditWitness : public ::testing::Test {
 protected:
  AuditWitness() { GoOn(); }
  ~AuditWitness() override {
    if (!given_up_) GoOn();
  }

  // The log grows, and the order beside its proof has its effect.
  void GoOn() {
    const uint64_t seen = log_.Size();
    log_.Grow(3);
    Obeys(log_.ProofFrom(seen));
  }
  void Obeys(const v1::AuditProof& proof) {
    const v1::Level level = ++orders_ % 2 == 0 ? v1::LEVEL_ESSENTIAL : v1::LEVEL_NO_LATERAL;
    victim_.Hear(SignedBy(make_.Isolate(level), {&people_.alex}), proof);
    EXPECT_EQ(victim_.Answer().state(), v1::OrderOutcome::STATE_DONE) << victim_.Answer().message();
    EXPECT_EQ(victim_.Standing().level, level);
  }
  void Refuses(const v1::AuditProof& proof, const std::string& why) {
    const HostStanding before = victim_.Standing();
    victim_.Hear(SignedBy(make_.Release(), {&people_.alex}), proof);
    EXPECT_EQ(victim_.Standing(), before) << "it had an effect: " << why;
    EXPECT_EQ(victim_.Answer().state(), v1::OrderOutcome::STATE_REFUSED);
    EXPECT_THAT(victim_.Answer().message(), ::testing::HasSubstr(why));
    EXPECT_EQ(victim_.Events().Events().back().event.order_outcome().message(), victim_.Answer().message());
  }
  uint64_t Seen() {
    v1::AuditCheckpoint checkpoint;
    checkpoint.ParseFromString(victim_.Gate().AuditSeen()->checkpoint());
    return checkpoint.size();
  }

  Witnessed fleet_;
  People& people_ = fleet_.people;
  AuditLog& log_ = fleet_.log;
  Victim victim_{people_.bundle};
  OrderMaker make_{victim_, people_};
  int orders_ = 0;
  bool given_up_ = false;
};

TEST_F(AuditWitness, AUT3_AnOrderWithoutTheStateOfTheLogIsRefused) {
  Refuses({}, "did not say where its audit log stands");
}

TEST_F(AuditWitness, AUT3_ALogThatWasSetBackIsRefusedAlsoAfterAStart) {
  AuditLog old = log_.ForkAt(log_.Size());
  GoOn();
  const uint64_t seen = Seen();
  Refuses(old.ProofFrom(0), "rolled back");
  victim_.Start();
  EXPECT_EQ(Seen(), seen);
  Refuses(old.ProofFrom(0), "rolled back");
}

TEST_F(AuditWitness, AUT3_AForkIsRefusedHoweverItIsProven) {
  const uint64_t seen = log_.Size();
  AuditLog fork = log_.ForkAt(1);
  Refuses(fork.ProofFrom(seen), "forked");  // as long as what was seen
  fork.Grow(5);
  Refuses(fork.ProofFrom(seen), "forked");
  Refuses(fork.ProofFrom(0), "does not show that its audit log goes on");
}

TEST_F(AuditWitness, AUT3_AnotherKeyIsRefusedUntilTheTrustBundleNamesIt) {
  AuditLog other(people_.bundle.fleet_id());
  other.Grow(2);
  Refuses(other.ProofFrom(0), "not signed by the key");
  v1::TrustBundle next = people_.Next({&people_.alex, &people_.sam});
  next.set_audit_log_public_key(other.PublicKey());
  // Nobody could give a log that was lost another key if that asked for the old one.
  victim_.Hear(SignedBy(make_.ChangeTrust(next), {&people_.alex, &people_.sam}), {});
  ASSERT_EQ(victim_.Standing().trust_version, next.version()) << victim_.Answer().message();
  Refuses(log_.ProofFrom(log_.Size()), "not signed by the key");
  Obeys(other.ProofFrom(0));
  other.Grow(1);
  Obeys(other.ProofFrom(2));
  given_up_ = true;
}

TEST_F(AuditWitness, AUT3_WhatARefusedOrderBringsIsRememberedAllTheSame) {
  const uint64_t seen = log_.Size();
  log_.Grow(4);
  victim_.Hear(SignedBy(make_.Release(), {&people_.mallory}), log_.ProofFrom(seen));
  EXPECT_EQ(victim_.Answer().state(), v1::OrderOutcome::STATE_REFUSED);
  EXPECT_EQ(Seen(), seen + 4);
}

TEST_F(AuditWitness, ADamagedFileIsSaidAndTheNextCheckpointBelieved) {
  std::ofstream(victim_.Folder() / agent::kAuditCheckpointFile, std::ios::trunc) << "no checkpoint";
  const agent::AuditWitness damaged(victim_.Folder());
  EXPECT_THAT(damaged.Notice(), ::testing::HasSubstr("is damaged"));
  EXPECT_FALSE(damaged.Seen().has_value());
}

}  // namespace
}  // namespace cordon::testing
