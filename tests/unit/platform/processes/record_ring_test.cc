#include "platform/linux/processes/record_ring.h"

#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "platform/linux/system/fd.h"

namespace cordon::platform {
namespace {

// The kernel's side of a ring, in a file of the same layout: the reader's page, the writer's page, the data.
class WrittenRing {
 public:
  static constexpr size_t kBytes = 4096;

  WrittenRing()
      : file_(memfd_create("ring", MFD_CLOEXEC)), page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
    EXPECT_EQ(ftruncate(file_.Get(), static_cast<off_t>(2 * page_ + kBytes)), 0);
    EXPECT_TRUE(ring_.Map(file_.Get(), kBytes).ok());
  }

  void Write(const std::string& content, uint32_t flags = 0) {
    const uint32_t header[2] = {static_cast<uint32_t>(content.size()) | flags, 0};
    Put(at_, {reinterpret_cast<const char*>(header), sizeof(header)});
    Put(at_ + sizeof(header), content);
    last_ = at_;
    at_ += (sizeof(header) + content.size() + 7) / 8 * 8;
    Poke(page_, &at_, sizeof(at_));
  }

  void FinishLast(const std::string& content) {
    const auto length = static_cast<uint32_t>(content.size());
    Poke(2 * page_ + last_ % kBytes, &length, sizeof(length));
  }

  std::vector<std::string> Read() {
    std::vector<std::string> records;
    ring_.Consume([&](std::span<const char> bytes) { records.emplace_back(bytes.begin(), bytes.end()); });
    return records;
  }

  uint64_t Consumed() const {
    uint64_t consumed = 0;
    EXPECT_EQ(pread(file_.Get(), &consumed, sizeof(consumed), 0), static_cast<ssize_t>(sizeof(consumed)));
    return consumed;
  }
  uint64_t Produced() const { return at_; }

 private:
  void Put(uint64_t at, std::string_view bytes) {
    for (const char& byte : bytes) Poke(2 * page_ + at++ % kBytes, &byte, 1);
  }
  void Poke(size_t offset, const void* bytes, size_t count) const {
    EXPECT_EQ(pwrite(file_.Get(), bytes, count, static_cast<off_t>(offset)), static_cast<ssize_t>(count));
  }

  Fd file_;
  size_t page_;
  RecordRing ring_;
  uint64_t at_ = 0;
  uint64_t last_ = 0;
};

TEST(RecordRing, ReadsWhatIsThereOnceAndFreesItsPlace) {
  WrittenRing ring;
  EXPECT_TRUE(ring.Read().empty());
  ring.Write("one");
  ring.Write("the second");
  EXPECT_EQ(ring.Read(), (std::vector<std::string>{"one", "the second"}));
  EXPECT_EQ(ring.Consumed(), ring.Produced());
  EXPECT_TRUE(ring.Read().empty());
}

TEST(RecordRing, PutsARecordTogetherThatGoesOverTheEnd) {
  WrittenRing ring;
  for (int i = 0; i < 100; ++i) {
    const std::string record(static_cast<size_t>(700 + i), static_cast<char>('a' + i % 26));
    ring.Write(record);
    ring.Write("next");
    ASSERT_EQ(ring.Read(), (std::vector<std::string>{record, "next"})) << i;
  }
  EXPECT_GT(ring.Produced(), 10 * WrittenRing::kBytes) << "the ring went round";
}

TEST(RecordRing, WaitsForARecordThatIsBeingWrittenAndPassesOverOneThatWasGivenUp) {
  WrittenRing ring;
  ring.Write("before");
  ring.Write("given up", BPF_RINGBUF_DISCARD_BIT);
  ring.Write("unfinished", BPF_RINGBUF_BUSY_BIT);
  EXPECT_EQ(ring.Read(), std::vector<std::string>{"before"});
  EXPECT_LT(ring.Consumed(), ring.Produced());
  ring.FinishLast("unfinished");
  EXPECT_EQ(ring.Read(), std::vector<std::string>{"unfinished"});
}

TEST(RingBytesFor, GrowsWithCoresAndNotBeyondAThousandthOfTheMemory) {
  constexpr uint64_t kGiB = uint64_t{1} << 30;
  constexpr uint32_t kMiB = 1 << 20;
  EXPECT_EQ(RingBytesFor(1, 64 * kGiB), 1 * kMiB);
  EXPECT_EQ(RingBytesFor(6, 64 * kGiB), 4 * kMiB) << "a power of two";
  EXPECT_EQ(RingBytesFor(64, 64 * kGiB), 8 * kMiB);
  EXPECT_EQ(RingBytesFor(64, 4 * kGiB), 4 * kMiB);
  EXPECT_EQ(RingBytesFor(64, kGiB / 4), kMiB / 2);
  EXPECT_EQ(RingBytesFor(-1, 0), kMiB / 2) << "when neither can be told";
}

TEST(RecordRing, SaysWhyAMapCannotBeMapped) {
  RecordRing ring;
  EXPECT_FALSE(ring.Map(-1, WrittenRing::kBytes).ok());
}

}  // namespace
}  // namespace cordon::platform
