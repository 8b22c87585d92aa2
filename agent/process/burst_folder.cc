#include "agent/process/burst_folder.h"

#include <algorithm>
#include <functional>
#include <iterator>

namespace cordon::agent {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr size_t kProgramsCounted = 256;  // in one summary; the others are in its total alone

std::vector<std::pair<std::string, uint64_t>> MostFrequent(const std::map<std::string, uint64_t>& programs) {
  std::vector<std::pair<std::string, uint64_t>> sorted(programs.begin(), programs.end());
  std::ranges::stable_sort(sorted, std::greater(), &std::pair<std::string, uint64_t>::second);
  if (sorted.size() > BurstFolder::kMostPrograms) sorted.resize(BurstFolder::kMostPrograms);
  return sorted;
}

}  // namespace

bool BurstFolder::MayFold(const BurstGroup& group, std::string_view program, int64_t boottime_nanos) {
  if (limit_ == 0) return false;
  if (programs_seen_.size() >= kProgramsRemembered) programs_seen_.clear();  // then they are told once more
  const bool is_new = programs_seen_.insert(std::hash<std::string_view>()(program)).second;
  return IsInBurst(group, boottime_nanos) && !is_new;
}

bool BurstFolder::IsInBurst(const BurstGroup& group, int64_t boottime_nanos) {
  if (rates_.size() >= kMostGroups && !rates_.contains(group)) {
    ForgetQuietGroups(boottime_nanos);
    if (rates_.size() >= kMostGroups) return false;
  }
  Rate& rate = rates_.try_emplace(group, Rate{.second_began = boottime_nanos}).first->second;
  const int64_t passed = boottime_nanos - rate.second_began;
  if (passed >= kSecond) {
    rate.in_burst = passed < 2 * kSecond && rate.in_second > limit_;
    rate.second_began = boottime_nanos;
    rate.in_second = 0;
  }
  ++rate.in_second;
  rate.in_burst = rate.in_burst || rate.in_second > limit_;
  return rate.in_burst;
}

void BurstFolder::ForgetQuietGroups(int64_t boottime_nanos) {
  std::erase_if(rates_,
                [&](const auto& rate) { return boottime_nanos - rate.second.second_began >= 2 * kSecond; });
}

void BurstFolder::Fold(const BurstGroup& group, const FoldedProcess& process) {
  const auto [at, is_new] = sums_.try_emplace(group);
  Sum& sum = at->second;
  BurstSummary& summary = sum.summary;
  if (is_new) {
    summary.cgroup = group.cgroup;
    summary.first_boottime_nanos = process.begin_boottime_nanos;
  }
  summary.first_boottime_nanos = std::min(summary.first_boottime_nanos, process.begin_boottime_nanos);
  summary.last_boottime_nanos = std::max(summary.last_boottime_nanos, process.end_boottime_nanos);
  ++(process.program.empty() ? summary.forked : summary.started);
  if (process.failed) ++summary.failed;
  summary.cpu_nanos += process.cpu_nanos;
  if (!process.program.empty() &&
      (sum.programs.size() < kProgramsCounted || sum.programs.contains(process.program))) {
    ++sum.programs[process.program];
  }
  if (!process.parent_guid.empty() && sum.parents.size() < kMostParents) {
    sum.parents.insert(process.parent_guid);
  }
}

std::vector<BurstSummary> BurstFolder::TakeDue(int64_t boottime_nanos) {
  std::vector<BurstSummary> due;
  for (auto at = sums_.begin(); at != sums_.end();) {
    Sum& sum = at->second;
    if (boottime_nanos - kSummaryNanos < sum.summary.first_boottime_nanos) {
      ++at;
      continue;
    }
    sum.summary.programs = MostFrequent(sum.programs);
    sum.summary.parent_guids.assign(sum.parents.begin(), sum.parents.end());
    due.push_back(std::move(sum.summary));
    at = sums_.erase(at);
  }
  return due;
}

std::optional<int64_t> BurstFolder::NextDue() const {
  const auto first = std::ranges::min_element(
      sums_, {}, [](const auto& entry) { return entry.second.summary.first_boottime_nanos; });
  if (first == sums_.end()) return std::nullopt;
  return first->second.summary.first_boottime_nanos + kSummaryNanos;
}

}  // namespace cordon::agent
