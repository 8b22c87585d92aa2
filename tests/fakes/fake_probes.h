#pragma once

#include <functional>
#include <optional>
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
  const std::vector<Endpoint>& Tried() const { return tried_; }

  Outcome TryToSend(const Endpoint& target) override {
    tried_.push_back(target);
    return outcome_;
  }

 private:
  Outcome outcome_ = Outcome::kBlocked;
  std::vector<Endpoint> tried_;
};

}  // namespace cordon::testing
