#include "agent/names/lookups.h"

#include <algorithm>
#include <utility>

#include "agent/names/opened_table.h"
#include "common/base/clock.h"
#include "common/base/strings.h"

namespace cordon::agent {
namespace {

constexpr int64_t kFirstRetrySeconds = 2;
constexpr int64_t kLastRetrySeconds = 60;
constexpr size_t kMaxNotes = 5;
constexpr RecordType kBoth[] = {RecordType::kA, RecordType::kAaaa};

}  // namespace

void Lookups::Set(const std::vector<std::string>& names) {
  std::map<DnsQuestion, Lookup> kept;
  for (const std::string& name : names) {
    for (const RecordType type : kBoth) {
      const DnsQuestion question{.name = name, .type = type};
      const auto known = lookups_.find(question);
      Lookup& lookup = kept[question];
      if (known != lookups_.end()) lookup = known->second;
      lookup.under_way = false;  // whoever sets the names has forgotten what was asked
    }
  }
  lookups_ = std::move(kept);
}

void Lookups::AllDue() {
  for (auto& [question, lookup] : lookups_) lookup.next = 0;
}

std::vector<DnsQuestion> Lookups::Take(int64_t now) {
  size_t free = kAtOnce;
  for (const auto& [question, lookup] : lookups_) free -= lookup.under_way && free > 0 ? 1 : 0;
  std::vector<DnsQuestion> due;
  for (auto& [question, lookup] : lookups_) {
    if (due.size() >= free) break;
    if (lookup.under_way || lookup.next > now) continue;
    lookup.under_way = true;
    due.push_back(question);
  }
  return due;
}

void Lookups::Answered(const DnsQuestion& question, const DnsAnswer& answer, int64_t now) {
  const auto found = lookups_.find(question);
  if (found == lookups_.end()) return;
  const uint32_t ttl = answer.addresses.empty() ? 0 : answer.TtlSeconds();
  const int64_t seconds = std::clamp(ttl, OpenedTable::kFloorSeconds, OpenedTable::kCeilingSeconds);
  found->second = {.next = now + seconds * kNanosPerSecond,
                   .failures = 0,
                   .under_way = false,
                   .answered = true,
                   .has_address = !answer.addresses.empty(),
                   .problem = {}};
}

void Lookups::Failed(const DnsQuestion& question, std::string why, int64_t now) {
  const auto found = lookups_.find(question);
  if (found == lookups_.end()) return;
  Lookup& lookup = found->second;
  lookup.under_way = false;
  lookup.problem = std::move(why);
  const int64_t seconds = std::min(kFirstRetrySeconds << std::min(lookup.failures, 5), kLastRetrySeconds);
  ++lookup.failures;
  lookup.next = now + seconds * kNanosPerSecond;
}

std::vector<std::string> Lookups::Notes() const {
  std::vector<std::string> notes;
  size_t more = 0;
  for (auto at = lookups_.begin(); at != lookups_.end();) {  // the two kinds of one name stand side by side
    const std::string& name = at->first.name;
    const Lookup& v4 = at->second;
    const Lookup& v6 = std::next(at)->second;
    at = std::next(at, 2);
    std::string note;
    if (!v4.problem.empty() || !v6.problem.empty()) {
      note = StrCat("the profile's name ", name,
                    " cannot be looked up: ", v4.problem.empty() ? v6.problem : v4.problem);
    } else if (v4.answered && v6.answered && !v4.has_address && !v6.has_address) {
      note = StrCat("the profile's name ", name, " has no address that may be opened");
    }
    if (note.empty()) continue;
    if (notes.size() < kMaxNotes) {
      notes.push_back(std::move(note));
    } else {
      ++more;
    }
  }
  if (more > 0) notes.push_back(StrCat("and ", more, " more names of the profile lead nowhere"));
  return notes;
}

}  // namespace cordon::agent
