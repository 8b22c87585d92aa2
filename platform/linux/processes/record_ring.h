#pragma once

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace cordon::platform {

// How large a ring is to be, in bytes, a power of two. A core starts some 3,000 of the smallest programs in a
// second, with half a kilobyte of records each: a megabyte per core is more than half a second in which the
// reader does not run at all. At most a thousandth of the memory, and between 512 KiB and 8 MiB. Pure.
uint32_t RingBytesFor(long cores, uint64_t memory_bytes);

// Reads a BPF ring buffer map (BPF_MAP_TYPE_RINGBUF). As libbpf's ring_buffer, but it maps a part of the ring
// that moves along with what is read: the pages of a ring count as this process's resident memory from the
// moment they are mapped, touched or not.
//
// One thread. The caller knows when to look: nothing here waits.
class RecordRing {
 public:
  // How much of the ring is mapped at a time; more for a record that is longer.
  static constexpr size_t kWindowBytes = 256 << 10;

  RecordRing() = default;
  RecordRing(const RecordRing&) = delete;
  RecordRing& operator=(const RecordRing&) = delete;
  ~RecordRing();

  // Once. `bytes` is the map's size, a power of two of whole pages; `map` stays the caller's, and open for as
  // long as this object consumes.
  absl::Status Map(int map, size_t bytes);

  // Hands every finished record over, the oldest first, and frees its place. A record that cannot be mapped
  // stays where it is for the next call; what then finds no room in the ring, the kernel's side counts.
  void Consume(const std::function<void(std::span<const char>)>& take);

 private:
  // `bytes` at that position, nullptr when they cannot be mapped. Valid until the next call.
  char* At(unsigned long position, size_t bytes);
  bool MoveWindow(size_t offset, size_t bytes);

  int map_ = -1;
  size_t page_ = 0;
  size_t bytes_ = 0;
  void* consumer_page_ = nullptr;
  void* producer_page_ = nullptr;
  char* window_ = nullptr;
  size_t window_begin_ = 0;  // its place in the data
  size_t window_bytes_ = 0;
  bool cannot_map_ = false;  // it was told
};

}  // namespace cordon::platform
