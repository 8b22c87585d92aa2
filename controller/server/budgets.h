#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "controller/server/token_bucket.h"

namespace cordon::controller {

// What one host may use of the controller, whatever it runs (design.md §8). Far above what a good agent
// needs, a backlog of days included: what is beyond is held back by flow control, and loses nothing.
struct HostLimits {
  TokenBucket::Rate bytes{.per_second = 8.0 * 1024 * 1024, .burst = 64.0 * 1024 * 1024};
  TokenBucket::Rate events{.per_second = 20'000, .burst = 500'000};
  TokenBucket::Rate messages{.per_second = 200, .burst = 2'000};  // batches and reports
  // What a good agent does seldom, and what costs a signature, a look into the store or an entry in the audit
  // log each time. A host that crashes all the time, or hangs on a bad line, is within them; one that is
  // beyond is refused for the moment and comes again.
  TokenBucket::Rate openings{.per_second = 1, .burst = 600};  // of streams
  TokenBucket::Rate renewals{.per_second = 0.1, .burst = 60};
  TokenBucket::Rate chains{.per_second = 20.0 / 3'600, .burst = 20};  // begun anew
  int streams =
      8;  // open at once: two are in use, and twice that while a certificate is renewed or a line was lost
};

// The budgets of all hosts. Thread-safe.
class Budgets {
 public:
  // Tells of a host that is held back or refused, at most once an hour for each.
  using Name = std::function<void(const std::string& host_id, const std::string& what)>;

  Budgets(const HostLimits& limits, Name name) : limits_(limits), name_(std::move(name)) {}

  // A message of the host was read. Nanoseconds to wait before the next one of it is; 0 within the budget. At
  // most 5 s, so that a host that is held back is not taken for one that is gone.
  int64_t Spend(const std::string& host_id, uint64_t bytes, uint64_t events, int64_t now_boot_nanos);

  // Counts a stream of the host until CloseStream; false when it is one more than it may have, and is to be
  // ended.
  bool OpenStream(const std::string& host_id, int64_t now_boot_nanos);
  void CloseStream(const std::string& host_id);

  // RESOURCE_EXHAUSTED: the host does this more often than it may.
  absl::Status MayOpen(const std::string& host_id, int64_t now_boot_nanos);
  absl::Status MayRenew(const std::string& host_id, int64_t now_boot_nanos);
  absl::Status MayBeginChain(const std::string& host_id, int64_t now_boot_nanos);

  // Whether the audit log is told of a second session of the host now: once an hour for each kind. How many
  // of them it was not told of since the last time; nothing: not now.
  std::optional<uint64_t> MayNoteSession(const std::string& host_id, bool cloned, int64_t now_boot_nanos);

  // Forgets hosts without streams that owe nothing. To be called now and then.
  void Tidy(int64_t now_boot_nanos);
  size_t Hosts() const;

 private:
  struct Host {
    TokenBucket bytes;
    TokenBucket events;
    TokenBucket messages;
    TokenBucket openings;
    TokenBucket renewals;
    TokenBucket chains;
    int streams = 0;
    int64_t named_boot_nanos = -1;
    struct SessionNotes {
      int64_t noted_boot_nanos = -1;
      uint64_t untold = 0;
    };
    SessionNotes second;
    SessionNotes cloned;
  };
  absl::Status Take(TokenBucket Host::* bucket, const std::string& host_id, const char* what,
                    int64_t now_boot_nanos);
  Host& Of(const std::string& host_id, int64_t now_boot_nanos);
  static bool ToBeNamed(Host& host, int64_t now_boot_nanos);

  const HostLimits limits_;
  const Name name_;
  mutable std::mutex mutex_;
  std::map<std::string, Host> hosts_;
};

}  // namespace cordon::controller
