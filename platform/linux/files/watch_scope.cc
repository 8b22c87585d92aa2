#include "platform/linux/files/watch_scope.h"

#include <algorithm>

namespace cordon::platform {
namespace {

bool IsBelow(std::string_view path, std::string_view prefix) {
  return path != prefix && IsAtOrBelow(path, prefix);
}

}  // namespace

WatchScope::WatchScope(const FileWatch& watch) : canary_(watch.canary.string()) {
  for (const auto& root : watch.roots) roots_.push_back(root.string());
  for (const auto& prefix : watch.excluded) excluded_.push_back(prefix.string());
  if (!canary_.empty()) roots_.push_back(canary_);
}

bool WatchScope::Contains(std::string_view path) const {
  if (IsCanary(path)) return true;
  const auto holds = [&](const std::string& prefix) { return IsAtOrBelow(path, prefix); };
  return std::ranges::any_of(roots_, holds) && std::ranges::none_of(excluded_, holds);
}

WatchScope::Names WatchScope::NamesIn(std::string_view folder) const {
  const auto below = [&](const std::string& path) { return IsBelow(path, folder); };
  if (std::ranges::any_of(roots_, below) || std::ranges::any_of(excluded_, below)) return Names::kMixed;
  return Contains(folder) ? Names::kAllInside : Names::kAllOutside;
}

bool WatchScope::LeadsToRoot(std::string_view folder) const {
  return std::ranges::any_of(roots_, [&](const std::string& root) { return IsBelow(root, folder); });
}

}  // namespace cordon::platform
