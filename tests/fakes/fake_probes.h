#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/isolation/probes.h"

namespace cordon::testing {

// Answers when the test says so.
class FakeChannelProbe final : public agent::ChannelProbe {
 public:
  // Verbs of a test: the answer to the proof that is asked for.
  bool Asked() const { return done_.has_value(); }
  void Answer(absl::Status status) {
    const auto done = std::exchange(done_, std::nullopt);
    if (done.has_value()) (*done)(std::move(status));
  }

  void Prove(std::function<void(absl::Status)> done) override { done_ = std::move(done); }

 private:
  std::optional<std::function<void(absl::Status)>> done_;
};

class FakeEscapeProbe final : public agent::EscapeProbe {
 public:
  void Open() { outcome_ = Outcome::kLeft; }
  const std::vector<agent::ProbePacket>& Tried() const { return tried_; }
  // Another firewall stops what goes there, or does so no more.
  void Stop(const Endpoint& target) { stopped_.insert(target); }
  void StopAll() { stops_all_ = true; }
  void StopNothing() {
    stops_all_ = false;
    stopped_.clear();
  }
  std::vector<agent::AllowedPacket> TakeAllowed() { return std::exchange(allowed_, {}); }

  Outcome TryToSend(const agent::ProbePacket& packet) override {
    tried_.push_back(packet);
    return outcome_;
  }
  Outcome TryAllowed(const agent::AllowedPacket& packet) override {
    allowed_.push_back(packet);
    return stops_all_ || stopped_.contains(packet.target) ? Outcome::kBlocked : Outcome::kLeft;
  }

 private:
  Outcome outcome_ = Outcome::kBlocked;
  std::vector<agent::ProbePacket> tried_;
  std::vector<agent::AllowedPacket> allowed_;
  std::set<Endpoint> stopped_;
  bool stops_all_ = false;
};

// Answers when the test says so.
class FakeInboundProbe final : public agent::InboundProbe {
 public:
  using Outcome = Result::Outcome;
  bool Asked() const { return done_.has_value(); }
  const Attempt& LastAttempt() const { return attempt_; }
  void Answer(Outcome outcome, const std::string& controller = "192.0.2.7") {
    Result result{.outcome = outcome,
                  .local = {.address = {}, .port = 40'000},
                  .controller = boost::asio::ip::make_address(controller)};
    const auto done = std::exchange(done_, std::nullopt);
    if (done.has_value()) (*done)(result);
  }

  void Try(const Attempt& attempt, std::function<void(const Result&)> done) override {
    attempt_ = attempt;
    done_ = std::move(done);
  }

 private:
  Attempt attempt_;
  std::optional<std::function<void(const Result&)>> done_;
};

}  // namespace cordon::testing
