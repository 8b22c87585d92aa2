#pragma once

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

// One part of the agent that answers for its health. Thread-safe.
class HealthPart {
 public:
  virtual ~HealthPart() = default;

  // "cordon.process", "cordon.integrity", "cordon.isolation", "cordon.spool", "cordon.link", "cordon.scan".
  virtual std::string Name() const = 0;

  // Runs the part's canary and waits for it, at most ~5 s; the result is in State() afterwards. For Prove on
  // demand and on schedule.
  virtual void Prove() = 0;

  virtual PartState State() const = 0;
};

}  // namespace cordon::agent
