#pragma once

#include <grpcpp/support/status.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace cordon::controller {

// A stream that stays open: what the server needs of it to stop cleanly and to keep its deadlines.
class LiveStream {
 public:
  virtual ~LiveStream() = default;

  // Ends the stream with this status as soon as a write under way is done; what is queued is dropped.
  // Idempotent: the first status counts. Thread-safe.
  virtual void EndNow(const grpc::Status& status) = 0;

  // The host_id whose stream it is; empty for an operator's.
  virtual const std::string& HostId() const = 0;

  // When the certificate ends with which it was opened, Unix nanoseconds.
  virtual int64_t CertificateEnd() const = 0;

  // Time passes, on the boot clock. Called several times per deadline from one thread.
  virtual void Tick(int64_t now_boot_nanos) = 0;
};

// All open streams; owns them until gRPC is done with them. Thread-safe.
class LiveStreams {
 public:
  // After EndAll, a stream that is added is ended at once.
  void Add(const std::shared_ptr<LiveStream>& stream);
  void Remove(const LiveStream* stream);

  void TickAll(int64_t now_boot_nanos);
  // Ends every stream whose certificate has ended: its peer comes again with a newer one.
  void EndOutdated(int64_t now_unix_nanos);
  // Ends every stream of this host. O(n) of the streams: for what is rare.
  void EndOf(const std::string& host_id, const grpc::Status& status);
  void EndAll(const grpc::Status& status);

 private:
  std::vector<std::shared_ptr<LiveStream>> Snapshot() const;

  mutable std::mutex mutex_;
  std::unordered_map<const LiveStream*, std::shared_ptr<LiveStream>> streams_;
  std::optional<grpc::Status> ended_;
};

}  // namespace cordon::controller
