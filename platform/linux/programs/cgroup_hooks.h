#pragma once

// The BPF programs that mark sockets, on the root of the unified cgroup hierarchy. They are attached without
// a link, so they outlive the process that attached them (ISO-5).

#include <absl/status/statusor.h>
#include <bpf/bpf.h>

#include <cstdint>
#include <map>
#include <vector>

#include "platform/linux/programs/identity.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {

using MarksByFile = std::map<cordon_executable, uint32_t>;

// One set of programs with the maps they share.
struct HookSet {
  std::map<bpf_attach_type, Fd> programs;
  Fd files;
  Fd marks;
  uint32_t version = 0;

  // All of it is there, and means what this agent means by it.
  bool IsWhole() const;
};

// Not thread-safe.
class CgroupHooks {
 public:
  explicit CgroupHooks(uint32_t net_namespace) : net_namespace_(net_namespace) {}

  // Sets that are attached now for this network namespace, whoever attached them; by their maps.
  absl::StatusOr<std::vector<HookSet>> Attached();

  // Loads a set that is not attached yet.
  absl::StatusOr<HookSet> Load() const;

  absl::Status Attach(const HookSet& set);
  absl::Status Detach(const HookSet& set);

  static MarksByFile Read(const HookSet& set);
  // What Read does not show agrees with it.
  static bool Agrees(const HookSet& set, const MarksByFile& marks);
  // Makes the set mark exactly `wanted`.
  static absl::Status Write(const HookSet& set, const MarksByFile& wanted);

 private:
  using SetsByMap = std::map<uint32_t, HookSet>;

  absl::StatusOr<int> Root();
  absl::Status AddIfOwn(bpf_attach_type hook, uint32_t id, SetsByMap* sets) const;

  const uint32_t net_namespace_;
  Fd root_;
};

}  // namespace cordon::platform
