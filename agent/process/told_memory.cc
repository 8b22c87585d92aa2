#include "agent/process/told_memory.h"

#include <algorithm>
#include <functional>

namespace cordon::agent {

bool ToldMemory::IsNews(std::string_view fact, int64_t boottime_nanos) {
  const uint64_t hash = std::hash<std::string_view>()(fact);
  const auto before = std::ranges::find(told_, hash, &Told::hash);
  if (before != told_.end()) {
    if (boottime_nanos - before->boottime_nanos < kForNanos) return false;
    told_.erase(before);
  } else if (told_.size() == kKept) {
    told_.erase(told_.begin());
  }
  told_.push_back({hash, boottime_nanos});
  return true;
}

}  // namespace cordon::agent
