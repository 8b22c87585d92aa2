#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "platform/linux/processes/record.h"

namespace cordon::platform {

// The BPF programs of processes.bpf.c in the kernel. Those of forks, starts and ends are needed; the others
// are taken where the kernel has them. One thread at a time.
class ProcessPrograms {
 public:
  ProcessPrograms();
  ~ProcessPrograms();

  // Once. `ring_bytes`: a power of two of whole pages.
  absl::Status Load(uint32_t ring_bytes);
  // After Load: records come into the ring from now on.
  absl::Status Attach();
  // No more records come. What is in the ring and in Losses stays readable.
  void Detach();

  // Valid after Load, until the end of this object.
  int Ring() const;
  std::span<cordon_loss, CORDON_KINDS> Losses() const;
  bool IsLoaded() const;

  // After Attach: the records of what runs already, one after the other.
  absl::StatusOr<std::string> Snapshot() const;

  // After Attach: which of the others there are. `true` for modules also where a kernel can load none.
  bool TellsPrivileges() const;
  bool TellsTraces() const;
  bool TellsModules() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cordon::platform
