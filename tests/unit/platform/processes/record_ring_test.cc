#include "platform/linux/processes/record_ring.h"

#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "platform/linux/system/fd.h"

namespace cordon::platform {
namespace {

// The kernel's side of a ring, in a file of the same layout: the reader's page, the writer's page, the data
// twice in a row.
class WrittenRing {
 public:
  static constexpr size_t kSmallest = 4096;

  explicit WrittenRing(size_t bytes = kSmallest)
      : file_(memfd_create("cordon-test-ring", MFD_CLOEXEC)),
        page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))),
        bytes_(bytes) {
    EXPECT_EQ(ftruncate(file_.Get(), static_cast<off_t>(2 * page_ + 2 * bytes_)), 0);
    EXPECT_TRUE(ring_.Map(file_.Get(), bytes_).ok());
  }

  void Write(const std::string& content, uint32_t flags = 0) {
    last_ = at_;
    PutHeader(static_cast<uint32_t>(content.size()) | flags);
    Put(at_ + kHeaderBytes, content);
    at_ += (kHeaderBytes + content.size() + 7) / 8 * 8;
    Poke(page_, &at_, sizeof(at_));
  }

  void FinishLast(const std::string& content) { PutHeader(static_cast<uint32_t>(content.size())); }

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
  size_t Page() const { return page_; }

 private:
  static constexpr size_t kHeaderBytes = 8;

  void PutHeader(uint32_t length) {
    const uint32_t header[2] = {length, 0};
    Put(last_, {reinterpret_cast<const char*>(header), sizeof(header)});
  }
  void Put(uint64_t at, std::string_view bytes) {
    while (!bytes.empty()) {
      const size_t offset = at % bytes_;
      const std::string_view part = bytes.substr(0, bytes_ - offset);
      Poke(2 * page_ + offset, part.data(), part.size());
      Poke(2 * page_ + bytes_ + offset, part.data(), part.size());
      at += part.size();
      bytes.remove_prefix(part.size());
    }
  }
  void Poke(size_t offset, const void* bytes, size_t count) const {
    EXPECT_EQ(pwrite(file_.Get(), bytes, count, static_cast<off_t>(offset)), static_cast<ssize_t>(count));
  }

  Fd file_;
  size_t page_;
  size_t bytes_;
  RecordRing ring_;
  uint64_t at_ = 0;
  uint64_t last_ = 0;
};

// Of the rings above, by this process.
size_t MappedBytes() {
  std::ifstream maps("/proc/self/maps");
  size_t sum = 0;
  for (std::string line; std::getline(maps, line);) {
    if (!line.contains("cordon-test-ring")) continue;
    const size_t dash = line.find('-');
    sum += std::stoull(line.substr(dash + 1), nullptr, 16) - std::stoull(line, nullptr, 16);
  }
  return sum;
}

std::string RecordOf(size_t bytes, int number) {
  std::string record(bytes, static_cast<char>('a' + number % 26));
  const std::string name = std::to_string(number);
  return record.replace(0, name.size(), name);
}

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
  EXPECT_GT(ring.Produced(), 10 * WrittenRing::kSmallest) << "the ring went round";
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

TEST(RecordRing, MapsAPartOfALargeRingAndMovesItAlong) {
  constexpr size_t kBytes = 4 * RecordRing::kWindowBytes;
  WrittenRing ring(kBytes);
  int number = 0;
  for (int round = 0; ring.Produced() < 5 * kBytes; ++round) {
    // Several parts at once, and one record; their ends stand at all distances from the end of a part.
    std::vector<std::string> written;
    for (int i = 0; i < (round % 3 == 0 ? 80 : 1); ++i, ++number) {
      written.push_back(RecordOf(static_cast<size_t>(7'001 + 13 * (number % 97)), number));
      ring.Write(written.back());
    }
    ASSERT_EQ(ring.Read(), written) << "after record " << number;
    ASSERT_EQ(ring.Consumed(), ring.Produced());
    ASSERT_LE(MappedBytes(), RecordRing::kWindowBytes + 2 * ring.Page());
  }
}

TEST(RecordRing, MapsMoreForARecordThatIsLongerThanAPart) {
  constexpr size_t kBytes = 4 * RecordRing::kWindowBytes;
  WrittenRing ring(kBytes);
  for (int number = 0; number < 12; ++number) {
    const std::string record = RecordOf(2 * RecordRing::kWindowBytes + 100, number);
    ring.Write("short");
    ring.Write(record);
    ring.Write("next");
    ASSERT_EQ(ring.Read(), (std::vector<std::string>{"short", record, "next"})) << number;
  }
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
  EXPECT_FALSE(ring.Map(-1, WrittenRing::kSmallest).ok());
}

}  // namespace
}  // namespace cordon::platform
