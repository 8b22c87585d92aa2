#include "platform/linux/processes/record_ring.h"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>

namespace cordon::platform {

uint32_t RingBytesFor(long cores, uint64_t memory_bytes) {
  constexpr uint64_t kPerCore = 1 << 20;
  const uint64_t wanted = static_cast<uint64_t>(std::max(cores, 1L)) * kPerCore;
  const uint64_t affordable = std::min(wanted, memory_bytes / 1000);
  return static_cast<uint32_t>(std::bit_floor(std::clamp<uint64_t>(affordable, 512 << 10, 8 << 20)));
}

RecordRing::~RecordRing() {
  if (consumer_page_ != nullptr) munmap(consumer_page_, page_);
  if (producer_page_ != nullptr) munmap(producer_page_, page_ + bytes_);
}

absl::Status RecordRing::Map(int map, size_t bytes) {
  page_ = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  bytes_ = bytes;
  void* const consumer = mmap(nullptr, page_, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
  if (consumer == MAP_FAILED) return absl::ErrnoToStatus(errno, "cannot map the ring's own page");
  consumer_page_ = consumer;
  void* const producer = mmap(nullptr, page_ + bytes_, PROT_READ, MAP_SHARED, map, static_cast<off_t>(page_));
  if (producer == MAP_FAILED) return absl::ErrnoToStatus(errno, "cannot map the ring's data");
  producer_page_ = producer;
  return absl::OkStatus();
}

std::span<const char> RecordRing::Content(size_t offset, size_t bytes) {
  const char* const data = static_cast<const char*>(producer_page_) + page_;
  offset &= bytes_ - 1;
  const size_t before_end = std::min(bytes, bytes_ - offset);
  if (before_end == bytes) return {data + offset, bytes};
  joined_.assign(data + offset, data + bytes_);
  joined_.insert(joined_.end(), data, data + (bytes - before_end));
  return joined_;
}

// The kernel's protocol (kernel/bpf/ringbuf.c): both positions only rise; a record is a header of eight
// bytes, whose length has the busy bit until it is finished, and its content, rounded up to eight.
void RecordRing::Consume(const std::function<void(std::span<const char>)>& take) {
  const std::atomic_ref<unsigned long> produced(*static_cast<unsigned long*>(producer_page_));
  const std::atomic_ref<unsigned long> consumed(*static_cast<unsigned long*>(consumer_page_));
  char* const data = static_cast<char*>(producer_page_) + page_;
  unsigned long at = consumed.load(std::memory_order_relaxed);
  // Up to where it is now: writers that are as fast as the reader would keep it here for ever.
  const unsigned long end = produced.load(std::memory_order_acquire);
  while (at < end) {
    // Eight bytes at a multiple of eight: a header never goes over the end.
    auto* const header = reinterpret_cast<uint32_t*>(data + (at & (bytes_ - 1)));
    const uint32_t length = std::atomic_ref(*header).load(std::memory_order_acquire);
    if ((length & BPF_RINGBUF_BUSY_BIT) != 0) return;
    const size_t bytes = length & ~BPF_RINGBUF_DISCARD_BIT;
    if ((length & BPF_RINGBUF_DISCARD_BIT) == 0) take(Content(at + BPF_RINGBUF_HDR_SZ, bytes));
    at += (bytes + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
    consumed.store(at, std::memory_order_release);
  }
}

}  // namespace cordon::platform
