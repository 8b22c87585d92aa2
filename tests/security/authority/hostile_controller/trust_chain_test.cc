// The trust bundle in force on a host: taken in turn, whole on disk before it counts, and never guessed
// (AUT-3).

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iostream>
#include <random>
#include <thread>

#include "platform/api/files.h"
#include "tests/security/authority/hostile_controller/victim.h"
#include "tests/support/soak.h"
#include "tests/support/status_matchers.h"

namespace cordon::testing {
namespace {

using Outcome = v1::OrderOutcome;
using ::testing::HasSubstr;

class TrustLane : public ::testing::Test {
 protected:
  v1::SignedOrder To(uint64_t version, const std::vector<const TestOperator*>& people,
                     const std::vector<const TestOperator*>& signers) {
    v1::TrustBundle bundle = people_.Next(people);
    bundle.set_version(version);
    return SignedBy(make_.ChangeTrust(bundle), signers);
  }
  std::filesystem::path File() const { return victim_.Folder() / agent::kTrustOrderFile; }
  std::string Bytes() const { return Must(platform::ReadFileBounded(File(), 8 << 20)); }
  void Write(const std::string& bytes) const { std::ofstream(File(), std::ios::binary) << bytes; }

  People people_;
  Victim victim_{people_.bundle};
  OrderMaker make_{victim_, people_};
  const v1::SignedOrder second_ =
      To(2, {&people_.sam, &people_.kim}, {&people_.alex, &people_.sam, &people_.kim});
  const v1::SignedOrder third_ =
      To(3, {&people_.kim, &people_.mallory}, {&people_.sam, &people_.kim, &people_.mallory});
};

TEST_F(TrustLane, AUT3_EachVersionIsJudgedByTheOneBefore) {
  victim_.ExpectRefused(third_, "is not in the trust bundle");  // kim is not yet
  victim_.ExpectObeyed(second_, {.level = 1, .trust_version = 2, .lanes = {}});
  victim_.ExpectObeyed(third_, {.level = 1, .trust_version = 3, .lanes = {}});
  EXPECT_EQ(victim_.TrustChanges(), 2);
}

TEST_F(TrustLane, AUT3_CountsForTheVeryNextOrderAndAfterARestart) {
  victim_.ExpectObeyed(SignedBy(make_.Isolate(v1::LEVEL_ESSENTIAL), {&people_.alex}), v1::LEVEL_ESSENTIAL);
  victim_.ExpectObeyed(second_, {.level = v1::LEVEL_ESSENTIAL, .trust_version = 2, .lanes = {}});
  for (const bool restarted : {false, true}) {
    if (restarted) victim_.Start();
    victim_.ExpectRefused(SignedBy(make_.Release(), {&people_.alex}), "is not in the trust bundle");
    victim_.ExpectObeyed(SignedBy(make_.Isolate(v1::LEVEL_NO_LATERAL), {&people_.kim}), v1::LEVEL_NO_LATERAL);
  }
  EXPECT_THAT(victim_.Standing().lanes, HasSubstr("lane: \"trust\""));
}

TEST_F(TrustLane, AUT3_TheSameAgainIsDoneAndChangesNothing) {
  victim_.ExpectObeyed(second_, {.level = 1, .trust_version = 2, .lanes = {}});
  const size_t events = victim_.Events().Events().size();
  victim_.ExpectObeyed(second_, {.level = 1, .trust_version = 2, .lanes = {}});
  EXPECT_EQ(victim_.TrustChanges(), 1);
  EXPECT_EQ(victim_.Events().Events().size(), events);
}

// At each start it is told again: nobody knows whether the last word of the run before was safe.
TEST_F(TrustLane, AUT3_ACrashBeforeItWasToldLosesNeitherTheChangeNorTheWord) {
  victim_.ExpectObeyed(second_, {.level = 1, .trust_version = 2, .lanes = {}});
  const std::string file = Bytes();
  Victim other(people_.bundle);
  std::ofstream(other.Folder() / agent::kTrustOrderFile, std::ios::binary) << file;
  EXPECT_EQ(other.Standing().trust_version, 1U);
  const uint64_t answers = other.Answers();
  other.Start();
  EXPECT_EQ(other.Standing().trust_version, 2U);
  ASSERT_EQ(other.Answers(), answers + 1);
  EXPECT_EQ(other.Answer().state(), Outcome::STATE_DONE);
  other.Start();
  EXPECT_EQ(other.Answers(), answers + 2);
  EXPECT_EQ(other.Answer().state(), Outcome::STATE_DONE);
  EXPECT_EQ(other.TrustChanges(), 0) << "it is told, and not made again";
}

// Killed at any moment, a host has one bundle whole: the last that it confirmed, or the one it was about to.
class KilledChain : public TrustLane {
 protected:
  static constexpr uint64_t kVersions = 200;

  KilledChain() {
    for (uint64_t version = 2; version < kVersions; ++version) {
      changes_.push_back(To(version, {&people_.alex, &people_.sam}, {&people_.alex, &people_.sam}));
    }
  }

  // Takes change after change, and says each time which version it has.
  void TakeAll(int out) const {
    v1::SignedTrustBundle root;
    root.set_bundle(people_.bundle.SerializeAsString());
    agent::TrustChain chain(victim_.Folder(), root);
    for (const v1::SignedOrder& change : changes_) {
      v1::Order order;
      if (!order.ParseFromString(change.order())) return;
      if (!chain.InForce().ok() || order.sequence() <= chain.Lane().sequence()) continue;
      if (!chain.Accept(order, change).ok()) return;
      const uint64_t version = chain.Version();
      if (write(out, &version, sizeof(version)) != sizeof(version)) return;
    }
  }

  // The last version that a child confirmed before it was killed.
  uint64_t RunAndKill(std::chrono::microseconds after) const {
    std::array<int, 2> ends{};
    if (pipe(ends.data()) != 0) throw std::runtime_error("no pipe");
    const pid_t child = fork();
    if (child == 0) {
      TakeAll(ends[1]);
      _exit(0);
    }
    close(ends[1]);
    std::this_thread::sleep_for(after);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    uint64_t confirmed = 0;
    for (uint64_t version = 0; read(ends[0], &version, sizeof(version)) == sizeof(version);)
      confirmed = version;
    close(ends[0]);
    return confirmed;
  }

  std::vector<v1::SignedOrder> changes_;
};

TEST_F(KilledChain, AUT3_HasOneBundleWholeAtEveryMoment) {
  const int kills = StormCount(40, 1'000);
  std::mt19937 random(11);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same storm every time
  uint64_t newest = 1;
  for (int i = 0; i < kills; ++i) {
    const uint64_t confirmed = RunAndKill(std::chrono::microseconds(random() % 6'000));
    newest = std::max(newest, confirmed);
    victim_.Start();
    ASSERT_THAT(victim_.Chain().InForce(), IsOk());
    ASSERT_GE(victim_.Chain().Version(), newest);
    ASSERT_LE(victim_.Chain().Version(), newest + 1);
    newest = victim_.Chain().Version();
    if (newest + 1 < kVersions) continue;
    Write("");  // the last one is reached: from the beginning again
    newest = 1;
  }
  std::cout << "  " << kills << " kills\n";
}

TEST_F(TrustLane, AUT3_WhatCannotBeWrittenDoesNotCount) {
  std::filesystem::create_directory(File());  // nothing can take its place
  victim_.Hear(second_);
  EXPECT_EQ(victim_.Answer().state(), Outcome::STATE_FAILED);
  EXPECT_THAT(victim_.Answer().message(), HasSubstr("the trust bundle before it stays in force"));
  EXPECT_EQ(victim_.Standing().trust_version, 1U);
  std::filesystem::remove(File());
  victim_.ExpectObeyed(second_, {.level = 1, .trust_version = 2, .lanes = {}});
}

TEST_F(TrustLane, AUT3_ADamagedOneStopsOrdersAndKeepsTheLevel) {
  victim_.ExpectObeyed(SignedBy(make_.Isolate(v1::LEVEL_ESSENTIAL), {&people_.alex}), v1::LEVEL_ESSENTIAL);
  victim_.ExpectObeyed(second_, {.level = v1::LEVEL_ESSENTIAL, .trust_version = 2, .lanes = {}});
  const std::string good = Bytes();
  size_t damaged = 0;
  for (size_t i = 0; i < good.size(); i += 7) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x20);
    Write(bad);
    victim_.Start();
    // Beside the signed bytes a flip may leave everything that counts as it was, and then it is in force.
    if (victim_.Chain().InForce().ok()) {
      ASSERT_EQ(victim_.Standing().trust_version, 2U) << "byte " << i;
      continue;
    }
    ++damaged;
    victim_.ExpectRefused(SignedBy(make_.Release(), {&people_.kim}), "the trust bundle in force is damaged");
    ASSERT_EQ(victim_.Standing().level, v1::LEVEL_ESSENTIAL) << "byte " << i;
    victim_.Time().Advance(TestFleet::kHour / 30);
  }
  EXPECT_GT(damaged, good.size() / 10);
  Write(good.substr(0, good.size() / 2));
  victim_.Start();
  EXPECT_THAT(victim_.Chain().InForce(), Fails(absl::StatusCode::kDataLoss, "enrol it again with --replace"));
  Write(good);
  victim_.Start();
  victim_.ExpectObeyed(SignedBy(make_.Release(), {&people_.kim}), v1::LEVEL_OBSERVE);
}

TEST_F(TrustLane, AUT3_AFileOfAnotherFleetOrOfNoChangeIsNotInForce) {
  Write(SignedBy(make_.Release(), {&people_.alex}).SerializeAsString());
  victim_.Start();
  EXPECT_THAT(victim_.Chain().InForce(), Fails(absl::StatusCode::kDataLoss, "it is no change of trust"));
  const People others;
  v1::Order order = make_.ChangeTrust(others.Next({&others.alex}));
  order.set_fleet_id(others.bundle.fleet_id());
  Write(SignedBy(order, {&others.alex}).SerializeAsString());
  victim_.Start();
  EXPECT_THAT(victim_.Chain().InForce(), Fails(absl::StatusCode::kDataLoss, "another fleet's"));
  Write("");  // what a new enrolment leaves
  victim_.Start();
  EXPECT_THAT(victim_.Chain().InForce(), IsOk());
  EXPECT_EQ(victim_.Standing().trust_version, 1U);
}

TEST_F(TrustLane, AUT3_NamesTheAuthoritiesThatControllersAreHeldAgainst) {
  EXPECT_EQ(victim_.Chain().Authorities("of the enrolment"), "of the enrolment");
  const TestFleet fleet;
  v1::TrustBundle bundle = people_.Next({&people_.alex, &people_.sam});
  bundle.add_ca_pem(fleet.CaPem());
  victim_.ExpectObeyed(SignedBy(make_.ChangeTrust(bundle), {&people_.alex, &people_.sam}),
                       {.level = 1, .trust_version = 2, .lanes = {}});
  EXPECT_EQ(victim_.Chain().Authorities("of the enrolment"), fleet.CaPem() + "\n");
}

// The lifeline rule as a host keeps it, order after order (AUT-3).
TEST_F(TrustLane, AUT3_ALifelineIsKeptByTheHostItself) {
  v1::TrustBundle bundle = people_.Next({&people_.alex, &people_.sam});
  bundle.mutable_thresholds()->Clear();  // one operator alone may order dark …
  v1::Lifeline* line = bundle.add_lifelines();
  line->set_site(victim_.Self().site);
  line->set_level(v1::LEVEL_ESSENTIAL);
  line->set_hosts(1);
  line->set_signatures(2);
  line->add_host_ids(victim_.Self().host_id);
  victim_.ExpectObeyed(SignedBy(make_.ChangeTrust(bundle), {&people_.alex, &people_.sam}),
                       {.level = 1, .trust_version = 2, .lanes = {}});
  // … but not here.
  victim_.ExpectRefused(SignedBy(make_.Isolate(v1::LEVEL_DARK), {&people_.alex}),
                        "this host is a lifeline of site leeds");
  victim_.ExpectObeyed(SignedBy(make_.Isolate(v1::LEVEL_ESSENTIAL), {&people_.alex}), v1::LEVEL_ESSENTIAL);
  victim_.ExpectObeyed(SignedBy(make_.Isolate(v1::LEVEL_DARK), {&people_.alex, &people_.sam}),
                       v1::LEVEL_DARK);
  victim_.ExpectObeyed(SignedBy(make_.Release(), {&people_.alex}), v1::LEVEL_OBSERVE);
}

}  // namespace
}  // namespace cordon::testing
