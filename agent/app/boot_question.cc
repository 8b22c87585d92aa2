#include "agent/app/boot_question.h"

#include <spdlog/spdlog.h>

#include <chrono>

namespace cordon::agent {

void BootQuestion::Ask() {
  if (hold_.RemainingNanos() > 0) {
    AskWhileHeld();
    return;
  }
  isolation_.EndHold("no controller was asked in time");  // while the agent started
  constexpr std::chrono::hours kPatience(24);
  link_.Probe(kPatience, [this](bool answered) {
    if (answered) hold_.End(length_nanos_);  // a host that has had a connection is held at its next boot
  });
}

void BootQuestion::AskWhileHeld() {
  spdlog::info("isolation: held at controller-only until a controller has been asked for orders");
  link_.Probe(std::chrono::nanoseconds(hold_.RemainingNanos()), [this](bool answered) {
    // Neither answered nor over: the agent is stopping. Whoever runs next goes on with the hold.
    if (!answered && hold_.RemainingNanos() > 0) return;
    hold_.End(length_nanos_);
    isolation_.EndHold(answered ? "a controller was asked" : "no controller answered in time");
  });
}

}  // namespace cordon::agent
