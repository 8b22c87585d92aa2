#include "controller/server/budgets.h"

#include <algorithm>

#include "common/base/strings.h"
#include "common/base/text.h"

namespace cordon::controller {
namespace {

constexpr int64_t kLongestWaitNanos = 5 * kNanosPerSecond;
constexpr int64_t kNameEveryNanos = 3600 * kNanosPerSecond;

}  // namespace

Budgets::Host& Budgets::Of(const std::string& host_id, int64_t now) {
  const auto known = hosts_.find(host_id);
  if (known != hosts_.end()) return known->second;
  return hosts_
      .emplace(host_id, Host{TokenBucket(limits_.bytes, now), TokenBucket(limits_.events, now),
                             TokenBucket(limits_.messages, now)})
      .first->second;
}

bool Budgets::ToBeNamed(Host& host, int64_t now) {
  if (host.named_boot_nanos >= 0 && now - host.named_boot_nanos < kNameEveryNanos) return false;
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

void Budgets::Tidy(int64_t now) {
  const std::lock_guard lock(mutex_);
  std::erase_if(hosts_, [&](const auto& entry) {
    const Host& host = entry.second;
    const bool named = host.named_boot_nanos >= 0 && now - host.named_boot_nanos < kNameEveryNanos;
    return host.streams == 0 && !named && host.bytes.Full(now) && host.events.Full(now) &&
           host.messages.Full(now);
  });
}

size_t Budgets::Hosts() const {
  const std::lock_guard lock(mutex_);
  return hosts_.size();
}

}  // namespace cordon::controller
