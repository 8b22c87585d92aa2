#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "cordon/v1/gateway.pb.h"

namespace cordon::agent {

// What waits for the Control stream. Bounded for hours without a controller: the newest receipt wins, the
// newest progress per scan, and the newest kMaxOutcomes outcomes (those travel as events, too). Not
// thread-safe.
class Outbox {
 public:
  static constexpr size_t kMaxOutcomes = 1'000;
  static constexpr size_t kMaxScans = 64;
  static constexpr size_t kMaxAnswers = 16;
  static constexpr size_t kMaxRehearsals = 4;

  void Put(v1::Receipt receipt);
  void Put(v1::OrderOutcome outcome);
  void Put(v1::ScanProgress progress);
  void Put(v1::HealthAnswer answer);
  void Put(v1::InboundProbeRequest request);  // the newest wins
  void Put(v1::RehearsalAnswer answer);

  // The next to send: outcomes, then receipt, health, progress, rehearsals.
  std::optional<v1::ControlRequest> Take();

  // The connection went: whoever asked is gone, and so is the way on which a probe was to come.
  void ForgetAnswers() {
    answers_.clear();
    rehearsals_.clear();
    inbound_probe_.reset();
  }

 private:
  std::deque<v1::OrderOutcome> outcomes_;
  std::optional<v1::Receipt> receipt_;
  std::deque<v1::HealthAnswer> answers_;
  std::optional<v1::InboundProbeRequest> inbound_probe_;
  std::deque<v1::RehearsalAnswer> rehearsals_;
  std::map<std::string, v1::ScanProgress> progress_;  // by scan order
};

}  // namespace cordon::agent
