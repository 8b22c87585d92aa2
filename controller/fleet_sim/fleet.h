#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "controller/fleet_sim/virtual_agent.h"
#include "cordon/v1/gateway.pb.h"

namespace cordon::fleet_sim {

struct FleetOptions {
  uint32_t hosts = 100;
  std::string name_prefix = "sim";  // hosts are called sim-1, sim-2, …
  int threads = 4;                  // that enrol at the same time
};

// Virtual agents that were enrolled with one file, connected and beating. Not thread-safe.
class Fleet {
 public:
  // Enrols all hosts; the first refusal ends it. The file must have as many uses left.
  static absl::StatusOr<std::unique_ptr<Fleet>> Enroll(const v1::EnrollmentFile& file,
                                                       const FleetOptions& options);
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  // Opens every Control stream; returns when all are welcome. DEADLINE_EXCEEDED says how many are.
  absl::Status Connect(std::chrono::seconds timeout);
  // One heartbeat from every agent that is connected.
  void Beat();

  const Counters& Seen() const { return counters_; }

 private:
  Fleet() = default;

  Counters counters_;
  std::vector<std::unique_ptr<VirtualAgent>> agents_;
  bool started_ = false;
};

}  // namespace cordon::fleet_sim
