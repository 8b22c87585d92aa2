// TEL-1: received file events + gaps = what happened. Damaged kernel records are refused (AUT-6).

#include <gtest/gtest.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "agent/integrity/file_sensor.h"
#include "platform/api/system.h"
#include "platform/linux/files/event_buffer.h"
#include "platform/linux/files/fanotify_decode.h"
#include "platform/linux/files/fanotify_source.h"
#include "tests/fakes/fake_process_directory.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/temp_folder.h"

namespace cordon {
namespace {

using cordon::testing::FakeProcessDirectory;
using cordon::testing::RecordingSink;
using cordon::testing::TempFolder;

// Holds the sensor's output back until it is told to go on, as a full spool does.
class BlockedSink final : public agent::EventSink {
 public:
  void Emit(v1::EventClass event_class, int64_t time, v1::Event event) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_ || event.has_gap(); });
    sink_.Emit(event_class, time, std::move(event));
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  RecordingSink& Recorded() { return sink_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  RecordingSink sink_;
};

TEST(FileLoss, TEL1_WhatDoesNotFitIsCountedInAGapAndNothingElseIsLost) {
  if (geteuid() != 0) GTEST_SKIP() << "fanotify needs root";
  constexpr uint64_t kFiles = 6000;
  const TempFolder folder;
  const TempFolder state;
  const auto clock = platform::MakeSystemClock();
  const FakeProcessDirectory processes;
  BlockedSink sink;
  agent::FileSensor sensor(
      {.state_folder = state.Path(),
       .settle = {.quiet_nanos = kNanosPerMilli, .max_paths = 100},
       .process_wait = std::chrono::milliseconds(0)},
      [] { return platform::MakeFanotifySource({.buffer_bytes = 300 * 1024}); }, *clock, processes, sink);
  v1::Policy policy;
  policy.add_watched_paths(folder.Path().string());
  ASSERT_TRUE(sensor.Start(policy).ok());
  const std::string command =
      "cd " + folder.Path().string() + " && seq -f 'x%.0f' " + std::to_string(kFiles) + " | xargs mkdir";
  ASSERT_EQ(std::system(command.c_str()), 0);
  sink.Open();
  // The state after the loss is complete: the walk finds what no event told.
  const auto complete = [&] {
    std::set<std::string> names;
    for (const auto& recorded : sink.Recorded().Events()) names.insert(recorded.event.file_changed().path());
    names.erase("");
    return names.size() >= kFiles;
  };
  for (int i = 0; i < 600 && !complete(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_TRUE(complete());
  sensor.Stop();

  uint64_t told = 0;
  uint64_t lost = 0;
  for (const auto& recorded : sink.Recorded().Events()) {
    const bool by_walk = recorded.event.file_changed().pid() == 0;
    if (recorded.event.has_file_changed() && !by_walk) ++told;
    if (!recorded.event.has_gap()) continue;
    const v1::Gap& gap = recorded.event.gap();
    EXPECT_EQ(gap.cause(), v1::Gap::CAUSE_KERNEL_BUFFER_FULL);
    EXPECT_EQ(gap.event_class(), v1::EVENT_CLASS_FILE);
    EXPECT_EQ(recorded.event_class, v1::EVENT_CLASS_CONTROL);
    EXPECT_FALSE(gap.count_unknown());
    EXPECT_LE(gap.first_time_unix_nanos(), gap.last_time_unix_nanos());
    EXPECT_NE(gap.detail().find(folder.Path().string()), std::string::npos);
    lost += gap.count();
  }
  EXPECT_GT(lost, 0U);  // else the test shows nothing
  EXPECT_LT(told, kFiles);
  EXPECT_GE(told + lost, kFiles);  // the count may hold events from elsewhere on the same file system
  EXPECT_EQ(sensor.LostEvents(), lost);
}

TEST(FileLoss, TEL1_TheKernelsOverflowMarkerIsRead) {
  std::string bytes(sizeof(fanotify_event_metadata), '\0');
  fanotify_event_metadata event{};
  event.event_len = sizeof(event);
  event.vers = FANOTIFY_METADATA_VERSION;
  event.metadata_len = sizeof(event);
  event.mask = FAN_Q_OVERFLOW;
  event.fd = FAN_NOFD;
  std::memcpy(bytes.data(), &event, sizeof(event));
  std::vector<platform::FanotifyRecord> records;
  ASSERT_TRUE(platform::DecodeFanotify(bytes, &records));
  ASSERT_EQ(records.size(), 1U);
  EXPECT_NE(records[0].mask & FAN_Q_OVERFLOW, 0U);
}

TEST(FileLoss, TEL1_AFullBufferCountsWhatItDrops) {
  fanotify_event_metadata event{};
  event.event_len = sizeof(event);
  event.vers = FANOTIFY_METADATA_VERSION;
  event.metadata_len = sizeof(event);
  const std::string one(reinterpret_cast<const char*>(&event), sizeof(event));
  platform::EventBuffer buffer(2 * one.size());
  for (int i = 0; i < 2; ++i) buffer.Push({.bytes = one, .queue_empty_nanos = 10});
  for (int i = 0; i < 3; ++i) buffer.Push({.bytes = one + one, .queue_empty_nanos = 20 + i});
  platform::EventBuffer::Chunk chunk;
  ASSERT_TRUE(buffer.Pop(&chunk));
  EXPECT_EQ(chunk.lost_before, 0U);
  ASSERT_TRUE(buffer.Pop(&chunk));
  ASSERT_TRUE(buffer.Pop(&chunk));
  EXPECT_EQ(chunk.lost_before, 6U);
  EXPECT_EQ(chunk.lost_since_nanos, 20);
  buffer.Close();
  EXPECT_FALSE(buffer.Pop(&chunk));
}

// A record with a folder handle and a name.
std::string GoodRecord() {
  std::string handle(8, 'F');                             // fsid
  handle += std::string("\x04\0\0\0\x01\0\0\0abcd", 12);  // 4 bytes of handle, type 1
  std::string info = handle + "name" + std::string(4, '\0');
  fanotify_event_info_header header{};
  header.info_type = FAN_EVENT_INFO_TYPE_DFID_NAME;
  header.len = static_cast<uint16_t>(sizeof(header) + info.size());
  fanotify_event_metadata event{};
  event.event_len = static_cast<uint32_t>(sizeof(event) + header.len);
  event.vers = FANOTIFY_METADATA_VERSION;
  event.metadata_len = sizeof(event);
  event.mask = FAN_CREATE;
  event.pid = 77;
  std::string bytes(reinterpret_cast<const char*>(&event), sizeof(event));
  bytes.append(reinterpret_cast<const char*>(&header), sizeof(header));
  return bytes + info;
}

TEST(FileLoss, AUT6_AGoodRecordIsReadAndEveryCutOneIsRefused) {
  const std::string good = GoodRecord();
  const std::string twice = good + good;  // outlives the records, which point into it
  std::vector<platform::FanotifyRecord> records;
  ASSERT_TRUE(platform::DecodeFanotify(twice, &records));
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[1].entry.name, "name");
  EXPECT_EQ(records[1].pid, 77U);
  EXPECT_EQ(records[1].entry.folder.size(), 20U);
  for (size_t length = 1; length < good.size(); ++length) {
    records.clear();
    const std::string cut = good.substr(0, length);
    EXPECT_FALSE(platform::DecodeFanotify(cut, &records)) << length;
    EXPECT_TRUE(records.empty());
  }
}

TEST(FileLoss, AUT6_RandomAndDamagedRecordsNeverReachOutOfTheBuffer) {
  std::mt19937 random(7);
  const std::string good = GoodRecord() + GoodRecord();
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (int change = 0; change < 3; ++change) bytes[random() % bytes.size()] = static_cast<char>(random());
    bytes.resize(random() % (bytes.size() + 1));
    std::vector<platform::FanotifyRecord> records;
    platform::DecodeFanotify(bytes, &records);
    for (const platform::FanotifyRecord& record : records) {
      EXPECT_EQ(record.entry.name.find('/'), std::string_view::npos);
      if (record.entry.Known()) {
        EXPECT_GE(record.entry.folder.data(), bytes.data());
        EXPECT_LE(record.entry.name.data() + record.entry.name.size(), bytes.data() + bytes.size());
      }
    }
    platform::CountFanotifyEvents(bytes);
  }
}

}  // namespace
}  // namespace cordon
