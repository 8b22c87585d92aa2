#include "controller/server/budgets.h"

#include <algorithm>
#include <utility>

#include "common/base/strings.h"
#include "common/base/text.h"

namespace cordon::controller {
namespace {

constexpr int64_t kLongestWaitNanos = 5 * kNanosPerSecond;
constexpr int64_t kNameEveryNanos = 3600 * kNanosPerSecond;

bool Within(int64_t at, int64_t now) {
  return at >= 0 && now - at < kNameEveryNanos;
}

}  // namespace

Budgets::Host& Budgets::Of(const std::string& host_id, int64_t now) {
  const auto known = hosts_.find(host_id);
  if (known != hosts_.end()) return known->second;
  return hosts_
      .emplace(host_id, Host{TokenBucket(limits_.bytes, now), TokenBucket(limits_.events, now),
                             TokenBucket(limits_.messages, now), TokenBucket(limits_.openings, now),
                             TokenBucket(limits_.renewals, now), TokenBucket(limits_.chains, now)})
      .first->second;
}

bool Budgets::ToBeNamed(Host& host, int64_t now) {
  if (Within(host.named_boot_nanos, now)) return false;
  host.named_boot_nanos = now;
  return true;
}

int64_t Budgets::Spend(const std::string& host_id, uint64_t bytes, uint64_t events, int64_t now) {
  std::string what;
  int64_t wait = 0;
  {
    const std::lock_guard lock(mutex_);
    Host& host = Of(host_id, now);
    const auto debt = [&](TokenBucket& bucket, uint64_t used, const char* unit) {
      const int64_t owed = bucket.Spend(static_cast<double>(used), now);
      if (owed > wait) {
        wait = owed;
        what = unit;
      }
    };
    debt(host.bytes, bytes, "bytes");
    debt(host.events, events, "events");
    debt(host.messages, 1, "messages");
    if (wait == 0 || !ToBeNamed(host, now)) what.clear();
  }
  if (!what.empty()) {
    name_(host_id,
          StrCat("it sends more ", what, " than a host may, and is held back by ", FormatDuration(wait)));
  }
  return std::min(wait, kLongestWaitNanos);
}

bool Budgets::OpenStream(const std::string& host_id, int64_t now) {
  {
    const std::lock_guard lock(mutex_);
    Host& host = Of(host_id, now);
    if (++host.streams <= limits_.streams) return true;
    if (!ToBeNamed(host, now)) return false;
  }
  name_(host_id, StrCat("it opens more than ", limits_.streams, " streams at once, and gets no more"));
  return false;
}

void Budgets::CloseStream(const std::string& host_id) {
  const std::lock_guard lock(mutex_);
  const auto known = hosts_.find(host_id);
  if (known != hosts_.end() && known->second.streams > 0) --known->second.streams;
}

absl::Status Budgets::Take(TokenBucket Host::* bucket, const std::string& host_id, const char* what,
                           int64_t now) {
  {
    const std::lock_guard lock(mutex_);
    Host& host = Of(host_id, now);
    if ((host.*bucket).Take(1, now)) return absl::OkStatus();
    if (!ToBeNamed(host, now)) what = nullptr;
  }
  if (what != nullptr)
    name_(host_id, StrCat("it ", what, " more often than a host may, and is refused for now"));
  return absl::ResourceExhaustedError("this host does so more often than it may: try again in a minute");
}

absl::Status Budgets::MayOpen(const std::string& host_id, int64_t now) {
  return Take(&Host::openings, host_id, "connects", now);
}

absl::Status Budgets::MayRenew(const std::string& host_id, int64_t now) {
  return Take(&Host::renewals, host_id, "renews its certificate", now);
}

absl::Status Budgets::MayBeginChain(const std::string& host_id, int64_t now) {
  return Take(&Host::chains, host_id, "begins its chain of batches anew", now);
}

std::optional<uint64_t> Budgets::MayNoteSession(const std::string& host_id, bool cloned, int64_t now) {
  const std::lock_guard lock(mutex_);
  Host& host = Of(host_id, now);
  Host::SessionNotes& notes = cloned ? host.cloned : host.second;
  if (Within(notes.noted_boot_nanos, now)) {
    ++notes.untold;
    return std::nullopt;
  }
  notes.noted_boot_nanos = now;
  return std::exchange(notes.untold, 0);
}

void Budgets::Tidy(int64_t now) {
  const std::lock_guard lock(mutex_);
  std::erase_if(hosts_, [&](const auto& entry) {
    const Host& host = entry.second;
    const bool named = Within(host.named_boot_nanos, now) || Within(host.second.noted_boot_nanos, now) ||
                       Within(host.cloned.noted_boot_nanos, now);
    return host.streams == 0 && !named && host.bytes.Full(now) && host.events.Full(now) &&
           host.messages.Full(now) && host.openings.Full(now) && host.renewals.Full(now) &&
           host.chains.Full(now);
  });
}

size_t Budgets::Hosts() const {
  const std::lock_guard lock(mutex_);
  return hosts_.size();
}

}  // namespace cordon::controller
