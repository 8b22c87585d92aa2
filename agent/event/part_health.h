#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace cordon::agent {

// What a part knows about itself. `serving` is true only after a proof: a canary that went through the real
// pipeline.
struct PartState {
  bool serving = false;
  std::string detail;
  int64_t last_proof_unix_nanos = 0;  // 0 = never
};

// How long a canary is waited for. A part that is broken takes as long as that to say so, and its own work
// beside.
inline constexpr std::chrono::seconds kCanaryTimeout{5};

// One part of the agent that answers for its health. Thread-safe.
class HealthPart {
 public:
  virtual ~HealthPart() = default;

  // "cordon.process", "cordon.integrity", "cordon.isolation", "cordon.spool", "cordon.link", "cordon.scan".
  virtual std::string Name() const = 0;

  // Runs the part's canary and waits for it, for kCanaryTimeout; the result is in State() afterwards. For
  // Prove on demand and on schedule.
  virtual void Prove() = 0;

  virtual PartState State() const = 0;
};

}  // namespace cordon::agent
