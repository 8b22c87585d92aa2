#include "common/wire/batch_codec.h"

#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/crypto/digest.h"
#include "tests/support/encode_list.h"

namespace cordon {
namespace {

using testing::EncodeList;
using testing::Zstd;

// What a busy shell makes: each process is forked, started and ended.
v1::EventList ProcessStorm(int processes) {
  v1::EventList list;
  list.set_base_time_unix_nanos(1'700'000'000'000'000'000);
  for (int i = 0; i < processes; ++i) {
    const std::string guid = Sha256(StrCat("process ", i)).substr(0, 16);
    v1::Event* event = list.add_events();
    event->set_time_offset_nanos(int64_t{i} * 1'000'003);
    v1::ProcessStarted* started = event->mutable_process_started();
    started->set_process_guid(guid);
    started->set_parent_guid(Sha256("shell").substr(0, 16));
    started->set_pid(40'000 + i);
    started->set_parent_pid(4'242);
    started->set_executable("/usr/bin/true");
    started->add_argv("true");
    started->add_argv(StrCat(i));
    started->set_cwd("/home/reception");
    started->set_uid(1000);
    started->set_gid(1000);
    started->set_login_uid(1000);
    started->set_cgroup("/user.slice/user-1000.slice/session-3.scope");
    started->set_start_boottime_nanos(9'000'000'000'000 + int64_t{i} * 1'000'003);
  }
  return list;
}

TEST(BatchCodec, GivesBackWhatWentIn) {
  const v1::EventList list = ProcessStorm(300);
  const absl::StatusOr<std::string> payload = EncodeList(list);
  ASSERT_TRUE(payload.ok()) << payload.status();
  const absl::StatusOr<v1::EventList> decoded = DecodeEvents(*payload, 300);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->SerializeAsString(), list.SerializeAsString());
}

TEST(BatchCodec, TakesAClockThatIsWrong) {
  const TimedEvent before_all = Serialise(INT64_MIN, v1::Event());
  const TimedEvent after_all = Serialise(INT64_MAX, v1::Event());
  const v1::EventList list =
      *DecodeEvents(*EncodeEvents(before_all.time_unix_nanos, std::vector{before_all, after_all}), 2);
  EXPECT_EQ(list.base_time_unix_nanos(), 0);
  EXPECT_EQ(list.events(1).time_offset_nanos(), INT64_MAX);
}

TEST(BatchCodec, KeepsAProcessEventBelowFortyBytes) {
  const std::string payload = *EncodeList(ProcessStorm(1'000));
  RecordProperty("bytes_per_event", static_cast<int>(payload.size() / 1'000));
  EXPECT_LE(payload.size(), 40'000U);
}

TEST(BatchCodec, RefusesAnEmptyOrTooLongList) {
  EXPECT_FALSE(EncodeList(v1::EventList()).ok());
  v1::EventList list;
  for (uint32_t i = 0; i <= kMaxBatchEvents; ++i) list.add_events();
  EXPECT_FALSE(EncodeList(list).ok());
  list.mutable_events()->RemoveLast();
  EXPECT_TRUE(EncodeList(list).ok());
}

// So that no host stores what no controller would take.
TEST(BatchCodec, AUT6_RefusesAnEventThatIsTooLong) {
  v1::EventList list = ProcessStorm(2);
  list.mutable_events(1)->mutable_process_started()->set_cwd(std::string(1024 * 1024, 'x'));
  EXPECT_TRUE(EncodeList(list).ok());
  list.mutable_events(1)->mutable_process_started()->set_cwd(std::string(kMaxEventBytes, 'x'));
  EXPECT_NE(Message(EncodeList(list).status()).find("event 2"), std::string_view::npos);
}

TEST(BatchCodec, SaysWhatAPayloadUnpacksTo) {
  const v1::EventList list = ProcessStorm(300);
  EXPECT_EQ(UnpackedSize(*EncodeList(list)), list.ByteSizeLong());
  EXPECT_EQ(UnpackedSize(Zstd(std::string(2 * kMaxUnpackedBytes, 'x'))), kMaxUnpackedBytes);
  EXPECT_EQ(UnpackedSize("no zstd"), 0U);
  EXPECT_EQ(UnpackedSize(""), 0U);
}

TEST(BatchCodec, RefusesACountThatIsNotTheContents) {
  const std::string payload = *EncodeList(ProcessStorm(3));
  EXPECT_TRUE(DecodeEvents(payload, 3).ok());
  EXPECT_FALSE(DecodeEvents(payload, 2).ok());
  EXPECT_FALSE(DecodeEvents(payload, 0).ok());
  EXPECT_FALSE(DecodeEvents(payload, kMaxBatchEvents + 1).ok());
}

TEST(BatchCodec, RefusesEveryTruncation) {
  const std::string payload = *EncodeList(ProcessStorm(3));
  for (size_t size = 0; size < payload.size(); ++size) {
    EXPECT_FALSE(DecodeEvents(std::string_view(payload).substr(0, size), 3).ok()) << size;
  }
}

TEST(BatchCodec, RefusesABombAndAPayloadThatIsTooLong) {
  const std::string bomb = Zstd(std::string(kMaxUnpackedBytes + 1, '\0'));
  ASSERT_LT(bomb.size(), 10'000U);
  EXPECT_NE(Message(DecodeEvents(bomb, 1).status()).find("unpacked"), std::string_view::npos);
  EXPECT_NE(Message(DecodeEvents(std::string(kMaxPackedBytes + 1, 'x'), 1).status()).find("packed"),
            std::string_view::npos);
}

TEST(BatchCodec, RefusesZstdOfSomethingElse) {
  EXPECT_NE(Message(DecodeEvents(Zstd("\xff\xff\xff not protobuf"), 1).status()).find("list of events"),
            std::string_view::npos);
}

}  // namespace
}  // namespace cordon
