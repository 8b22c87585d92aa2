#pragma once

#include <cstdint>
#include <memory>

#include "platform/api/process_source.h"

namespace cordon::platform {

struct EbpfOptions {
  uint32_t ring_bytes = 0;  // a power of two of whole pages; 0 = RingBytesFor this machine
};

// Tracepoint programs in the kernel write records into a ring; one thread reads it. The reader wakes by
// itself every 250 ms and is woken when an eighth of the ring is full, so a storm of processes costs few
// wake-ups and an event is delivered within 250 ms of a quiet moment. Changes of privileges and tracers are
// told by kprobes, or where the kernel has none by the process connector (decision 0030).
class EbpfProcessSource final : public ProcessSource {
 public:
  explicit EbpfProcessSource(EbpfOptions options = {});
  ~EbpfProcessSource() override;

  absl::Status Start(std::function<void(std::span<RawProcessEvent>)> deliver) override;
  void Stop() override;
  void Flush() override;
  ProcessSourceInfo Info() const override;

  // Records that the kernel side has made since Start, with those that it had to drop, and without those that
  // said only what the snapshot had said. After Stop this is what was delivered plus what was reported lost.
  uint64_t Attempted() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cordon::platform
