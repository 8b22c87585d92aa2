#include "platform/windows/processes/same_process.h"

namespace cordon::platform {
namespace {

// Events are stamped by a clock that moves in steps; a start may be taken from a finer one.
constexpr uint64_t kClockStep = 160'000;

}  // namespace

bool CanBeOf(uint64_t start, uint64_t told) {
  return start <= told + kClockStep;
}

ProcessKey ParentOf(const ProcessKey& child, uint32_t parent_pid,
                    const std::map<uint32_t, ProcessKey>& known) {
  const auto found = known.find(parent_pid);
  const bool older = found != known.end() && found->second.start_boottime_nanos <= child.start_boottime_nanos;
  return older ? found->second : ProcessKey{};
}

}  // namespace cordon::platform
