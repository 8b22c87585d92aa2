#pragma once

// An isolated host whose controller is gone: the real Unlocker over the real Isolation, with fakes for kernel
// and clock.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "agent/unlock/unlocker.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_connections.h"
#include "tests/fakes/fake_packet_filter.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/actions.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_unlock.h"

namespace cordon::testing {

class UnlockBox : public ::testing::Test {
 protected:
  using Result = v1::UnlockAttempt;

  UnlockBox() {
    *trust_.add_operators() = alex_.Trusted();
    Start();
    Must(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order", 1).status());
  }

  // A new process of the agent.
  void Start(const std::string& boot_id = "boot-1") {
    unlocker_.reset();
    isolation_ = std::make_unique<agent::Isolation>(
        agent::IsolationParts{
            .filter = &filter_, .connections = &connections_, .clock = &clock_, .events = &events_},
        agent::IsolationOptions{.state_file = folder_ / "isolation.state", .boot_id = boot_id});
    static_cast<void>(isolation_->Restore());
    agent::UnlockSelf self{.fleet_id = fleet_id_, .host_id = host_id_, .host_name = host_name_};
    self.key = Must(PrivateKeyFromPem(host_key_pem_));
    self.public_key = Must(RawX25519PublicKey(*self.key));
    unlocker_ = std::make_unique<agent::Unlocker>(
        std::move(self), agent::Unlocker::Parts{clock_, events_, *isolation_, [this] { return trust_; }},
        agent::Unlocker::Settings{.state_file = StateFile(), .boot_id = boot_id});
  }
  void Reboot(const std::string& boot_id) {
    filter_.Lose();
    clock_.Reboot();
    Start(boot_id);
  }

  std::filesystem::path StateFile() const { return folder_ / "unlock.state"; }

  // What the operator believes of this host.
  UnlockParties Known() const {
    return {.fleet_id = fleet_id_,
            .host_id = host_id_,
            .host_name = host_name_,
            .operator_id = {},
            .host_public_key = Must(RawX25519PublicKey(*Must(PrivateKeyFromPem(host_key_pem_)))),
            .operator_public_key = {}};
  }
  std::string Challenge(v1::Level level = v1::LEVEL_OBSERVE, int64_t length = 4 * kUnlockHour) {
    return Must(unlocker_->Begin(level, length)).challenge();
  }
  std::string GoodCode(const std::string& challenge) { return alex_.CodeFor(Known(), challenge); }

  platform::Level Enforced() const {
    return filter_.Held().has_value() ? filter_.Held()->level : platform::Level::kObserve;
  }
  bool Closed() const { return Enforced() == platform::Level::kEssential; }

  // The attempts that went into the chain, all in the class that is never dropped.
  std::vector<v1::UnlockAttempt> Told() const {
    std::vector<v1::UnlockAttempt> told;
    for (const RecordedEvent& event : events_.Events()) {
      if (!event.event.has_unlock_attempt()) continue;
      EXPECT_EQ(event.event_class, v1::EVENT_CLASS_CONTROL);
      told.push_back(event.event.unlock_attempt());
    }
    return told;
  }
  std::vector<v1::UnlockAttempt::Result> Results() const {
    std::vector<v1::UnlockAttempt::Result> results;
    for (const v1::UnlockAttempt& attempt : Told()) results.push_back(attempt.result());
    return results;
  }

  const std::string fleet_id_ = NewUuid();
  const std::string host_id_ = NewUuid();
  std::string host_name_ = "front-desk";
  const std::string host_key_pem_ = Must(PrivateKeyToPem(*Must(NewX25519Key())));
  UnlockPerson alex_;
  v1::TrustBundle trust_;
  TempFolder folder_;
  FakeClock clock_;
  FakePacketFilter filter_;
  FakeConnections connections_;
  RecordingSink events_;
  std::unique_ptr<agent::Isolation> isolation_;
  std::unique_ptr<agent::Unlocker> unlocker_;
};

}  // namespace cordon::testing
