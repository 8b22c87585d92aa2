#pragma once

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace cordon::platform {

// How large a ring is to be, in bytes, a power of two. A core starts some 3,000 of the smallest programs in a
// second, with half a kilobyte of records each: a megabyte per core is more than half a second in which the
// reader does not run at all. At most a thousandth of the memory, and between 512 KiB and 8 MiB. Pure.
uint32_t RingBytesFor(long cores, uint64_t memory_bytes);

// Reads a BPF ring buffer map (BPF_MAP_TYPE_RINGBUF). As libbpf's ring_buffer, but maps the ring once instead
// of twice in a row: its pages count as this process's resident memory from the moment they are mapped,
// touched or not. A record that goes over the ring's end is put together here instead.
//
// One thread. The caller knows when to look: nothing here waits.
class RecordRing {
 public:
  RecordRing() = default;
  RecordRing(const RecordRing&) = delete;
  RecordRing& operator=(const RecordRing&) = delete;
  ~RecordRing();

  // Once. `bytes` is the map's size; `map` stays the caller's.
  absl::Status Map(int map, size_t bytes);

  // Hands every finished record over, the oldest first, and frees its place.
  void Consume(const std::function<void(std::span<const char>)>& take);

 private:
  std::span<const char> Content(size_t offset, size_t bytes);

  size_t page_ = 0;
  size_t bytes_ = 0;
  void* consumer_page_ = nullptr;
  void* producer_page_ = nullptr;  // followed by the data
  std::vector<char> joined_;       // a record that went over the end
};

}  // namespace cordon::platform
