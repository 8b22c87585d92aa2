#pragma once

// Who may connect: before TLS, so that it costs next to nothing.

#include <absl/status/statusor.h>

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "controller/server/token_bucket.h"

namespace cordon::controller {

struct DoorLimits {
  // Of new connections from one source: an IPv4 address, or an IPv6 network of 64 bits. A whole group of
  // clinics may come from one address, all at once when the controller starts.
  TokenBucket::Rate per_source{.per_second = 1'000, .burst = 20'000};
  // The process's limit of open files, and how many of them are kept for the store and the log. A connection
  // whose descriptor would be one of those is refused.
  uint64_t files = 1'024;
  uint64_t spare_files = 64;
};

// The limits where this many files may be open: no source takes more than a quarter of them at once.
DoorLimits WithFiles(DoorLimits limits, uint64_t files);

// Counts connections per source. Not thread-safe. Pure.
class SourceLimit {
 public:
  static constexpr size_t kMaxSources = 65'536;

  explicit SourceLimit(const TokenBucket::Rate& rate) : rate_(rate) {}

  // True when `source` may connect once more. While more than kMaxSources are busy, those beyond share one
  // rate.
  bool Admit(const boost::asio::ip::address& source, int64_t now_boot_nanos);
  size_t Sources() const { return by_source_.size(); }

 private:
  TokenBucket& BucketOf(const std::string& key, int64_t now_boot_nanos);

  TokenBucket::Rate rate_;
  std::map<std::string, TokenBucket> by_source_;
};

// Listens and accepts for gRPC. gRPC 1.51's own listener closes for good when accept fails for want of
// descriptors (CVE-2023-4785); this one waits and goes on. What is beyond the limits is closed at once and
// counted in the log.
class Doorkeeper {
 public:
  // Owns `fd` from now on. On the doorkeeper's thread; must not wait.
  using Welcome = std::function<void(int fd)>;

  // Listens at "ADDRESS:PORT" (see ServerOptions::listen), and accepts nothing yet. UNAVAILABLE when it
  // cannot.
  static absl::StatusOr<std::unique_ptr<Doorkeeper>> Open(const std::string& listen, const DoorLimits& limits,
                                                          const Clock& clock);
  virtual ~Doorkeeper() = default;  // stops

  virtual int Port() const = 0;
  virtual void Start(Welcome welcome) = 0;  // once
  virtual void Stop() = 0;                  // no Welcome after it; idempotent
};

}  // namespace cordon::controller
