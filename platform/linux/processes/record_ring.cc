#include "platform/linux/processes/record_ring.h"

#include <linux/bpf.h>
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>

#include "common/base/status.h"

namespace cordon::platform {

uint32_t RingBytesFor(long cores, uint64_t memory_bytes) {
  constexpr uint64_t kPerCore = 1 << 20;
  const uint64_t wanted = static_cast<uint64_t>(std::max(cores, 1L)) * kPerCore;
  const uint64_t affordable = std::min(wanted, memory_bytes / 1000);
  return static_cast<uint32_t>(std::bit_floor(std::clamp<uint64_t>(affordable, 512 << 10, 8 << 20)));
}

RecordRing::~RecordRing() {
  if (consumer_page_ != nullptr) munmap(consumer_page_, page_);
  if (producer_page_ != nullptr) munmap(producer_page_, page_);
  if (window_ != nullptr) munmap(window_, window_bytes_);
}

absl::Status RecordRing::Map(int map, size_t bytes) {
  map_ = map;
  page_ = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  bytes_ = bytes;
  void* const consumer = mmap(nullptr, page_, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
  if (consumer == MAP_FAILED) return absl::ErrnoToStatus(errno, "cannot map the ring's own page");
  consumer_page_ = consumer;
  void* const producer = mmap(nullptr, page_, PROT_READ, MAP_SHARED, map, static_cast<off_t>(page_));
  if (producer == MAP_FAILED) return absl::ErrnoToStatus(errno, "cannot map the writer's page of the ring");
  producer_page_ = producer;
  if (!MoveWindow(0, 1)) return absl::ErrnoToStatus(errno, "cannot map the ring's data");
  return absl::OkStatus();
}

// Behind the two pages, the kernel shows the data twice in a row (kernel/bpf/ringbuf.c): a record that goes
// over the end of the first goes on in the second, and so does a window.
bool RecordRing::MoveWindow(size_t offset, size_t bytes) {
  const size_t begin = offset / page_ * page_;
  const size_t needed = (offset + bytes - begin + page_ - 1) / page_ * page_;
  const size_t size = std::max(needed, std::min(kWindowBytes, bytes_));
  void* const window =
      mmap(nullptr, size, PROT_READ, MAP_SHARED, map_, static_cast<off_t>(2 * page_ + begin));
  if (window == MAP_FAILED) return false;
  if (window_ != nullptr) munmap(window_, window_bytes_);
  window_ = static_cast<char*>(window);
  window_begin_ = begin;
  window_bytes_ = size;
  return true;
}

char* RecordRing::At(unsigned long position, size_t bytes) {
  const size_t offset = position & (bytes_ - 1);
  const bool inside = offset >= window_begin_ && offset + bytes <= window_begin_ + window_bytes_;
  if (!inside) {
    const bool moved = MoveWindow(offset, bytes);
    if (!moved && !cannot_map_) {
      spdlog::error("{}", Message(absl::ErrnoToStatus(
                              errno, "cannot map the next part of a ring, whose records wait")));
    }
    cannot_map_ = !moved;
    if (!moved) return nullptr;
  }
  return window_ + (offset - window_begin_);
}

// The kernel's protocol (kernel/bpf/ringbuf.c): both positions only rise; a record is a header of eight
// bytes, whose length has the busy bit until it is finished, and its content, rounded up to eight.
void RecordRing::Consume(const std::function<void(std::span<const char>)>& take) {
  const std::atomic_ref<unsigned long> produced(*static_cast<unsigned long*>(producer_page_));
  const std::atomic_ref<unsigned long> consumed(*static_cast<unsigned long*>(consumer_page_));
  unsigned long at = consumed.load(std::memory_order_relaxed);
  // Up to where it is now: writers that are as fast as the reader would keep it here for ever.
  const unsigned long end = produced.load(std::memory_order_acquire);
  while (at < end) {
    char* const header = At(at, BPF_RINGBUF_HDR_SZ);
    if (header == nullptr) return;
    const uint32_t length =
        std::atomic_ref(*reinterpret_cast<uint32_t*>(header)).load(std::memory_order_acquire);
    if ((length & BPF_RINGBUF_BUSY_BIT) != 0) return;
    const size_t bytes = length & ~BPF_RINGBUF_DISCARD_BIT;
    if ((length & BPF_RINGBUF_DISCARD_BIT) == 0) {
      const char* const content = At(at + BPF_RINGBUF_HDR_SZ, bytes);
      if (content == nullptr) return;
      take({content, bytes});
    }
    at += (bytes + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
    consumed.store(at, std::memory_order_release);
  }
}

}  // namespace cordon::platform
