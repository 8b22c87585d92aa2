#include "agent/scan/known_entries.h"

#include <algorithm>
#include <functional>
namespace cordon::agent {

absl::Status KnownEntries::Load(Baseline& baseline, const std::string& folder, RecordsAhead* ahead) {
  const bool is_there = ahead != nullptr && ahead->Take(folder, &recorded_);
  const absl::Status read = is_there ? absl::OkStatus() : baseline.Children(folder, &recorded_);
  if (!read.ok()) recorded_.Clear();
  taken_.assign(static_cast<size_t>(recorded_.entries_size()), false);
  return read;
}

void KnownEntries::Clear() {
  recorded_.Clear();
  taken_.clear();
}

const v1::BaselineEntry* KnownEntries::Take(std::string_view name) {
  const auto& entries = recorded_.entries();
  const auto found = std::ranges::lower_bound(entries, name, std::ranges::less(), &v1::BaselineEntry::name);
  if (found == entries.end() || found->name() != name) return nullptr;
  taken_[static_cast<size_t>(found - entries.begin())] = true;
  return &*found;
}

std::vector<const v1::BaselineEntry*> KnownEntries::NotTaken() const {
  std::vector<const v1::BaselineEntry*> left;
  for (size_t i = 0; i < taken_.size(); ++i) {
    if (!taken_[i]) left.push_back(&recorded_.entries(static_cast<int>(i)));
  }
  return left;
}

}  // namespace cordon::agent
