#include "agent/scan/file_record.h"

#include <gtest/gtest.h>

namespace cordon::agent {
namespace {

FileRecord Record() {
  FileRecord record{.path = "/etc/passwd", .sha256 = std::string(32, 'a')};
  record.metadata.type = platform::FileType::kFile;
  record.metadata.size = 10;
  record.metadata.mode = 0644;
  record.metadata.mtime_unix_nanos = 1;
  record.metadata.ctime_unix_nanos = 1;
  record.metadata.inode = 5;
  return record;
}

TEST(Compare, TheSameIsNoFindingAndNeitherAreTimesAlone) {
  FileRecord after = Record();
  EXPECT_FALSE(Compare(Record(), after).has_value());
  after.metadata.mtime_unix_nanos = 2;
  after.metadata.ctime_unix_nanos = 2;
  after.metadata.inode = 6;
  EXPECT_FALSE(Compare(Record(), after).has_value());
}

TEST(Compare, OtherBytesOfTheSameSizeAreContent) {
  FileRecord after = Record();
  after.sha256 = std::string(32, 'b');
  const auto finding = Compare(Record(), after);
  ASSERT_TRUE(finding.has_value());
  EXPECT_EQ(finding->kind(), v1::Finding::KIND_CONTENT);
  EXPECT_EQ(finding->detail(), "content differs, same size");
  EXPECT_EQ(finding->before().sha256(), Record().sha256);
  EXPECT_EQ(finding->after().sha256(), after.sha256);
}

TEST(Compare, ModeOwnerTypeAndTargetAreMetadata) {
  FileRecord after = Record();
  after.metadata.mode = 04755;
  after.metadata.uid = 1000;
  auto finding = Compare(Record(), after);
  ASSERT_TRUE(finding.has_value());
  EXPECT_EQ(finding->kind(), v1::Finding::KIND_METADATA);
  EXPECT_EQ(finding->detail(), "mode 0644 -> 4755, owner 0 -> 1000");
  after = Record();
  after.metadata.type = platform::FileType::kSymlink;
  after.metadata.link_target = "/tmp/x";
  finding = Compare(Record(), after);
  ASSERT_TRUE(finding.has_value());
  EXPECT_EQ(finding->detail(), "type file -> link, link target  -> /tmp/x");
}

TEST(Compare, AFileThatCouldNotBeReadIsNotCalledChanged) {
  FileRecord after = Record();
  after.sha256.clear();
  EXPECT_FALSE(Compare(Record(), after).has_value());
}

TEST(WorthReading, IsWhatEndsInAWhile) {
  platform::FileMetadata metadata = Record().metadata;
  metadata.size = metadata.stored_bytes = kMaxReadBytes;
  EXPECT_TRUE(WorthReading(metadata).ok());
  ++metadata.size;
  EXPECT_TRUE(absl::IsOutOfRange(WorthReading(metadata)));
  metadata.size = kMaxHollowBytes;
  metadata.stored_bytes = 0;
  EXPECT_TRUE(WorthReading(metadata).ok());
  ++metadata.size;
  EXPECT_TRUE(absl::IsOutOfRange(WorthReading(metadata)));
  metadata.stored_bytes = metadata.size / 8;  // a disk image that fills slowly
  EXPECT_TRUE(WorthReading(metadata).ok());
}

TEST(LooksUntouched, AsksForChangeTimeAndInodeToo) {
  const platform::FileMetadata before = Record().metadata;
  EXPECT_TRUE(LooksUntouched(before, before));
  platform::FileMetadata after = before;
  after.ctime_unix_nanos = 2;  // content written and mtime set back
  EXPECT_FALSE(LooksUntouched(before, after));
  after = before;
  after.inode = 6;
  EXPECT_FALSE(LooksUntouched(before, after));
}

TEST(LooksUntouched, NotByAChangeTimeThatIsNotKnown) {
  platform::FileMetadata before = Record().metadata;
  before.ctime_unix_nanos = 0;
  EXPECT_FALSE(LooksUntouched(before, before));
}

TEST(SureChangeTime, IsOfAMinuteAgo) {
  constexpr int64_t kChanged = 1'700'000'000'000'000'000;
  EXPECT_EQ(SureChangeTime(kChanged, kChanged + kUnsureNanos), kChanged);
  EXPECT_EQ(SureChangeTime(kChanged, kChanged + kUnsureNanos - 1), 0);
  EXPECT_EQ(SureChangeTime(kChanged, kChanged - 1), 0) << "the clock was set back";
}

TEST(LooksUntouched, NotWhenItsContentWasNeverRead) {
  FileRecord before = Record();
  EXPECT_TRUE(LooksUntouched(before, before.metadata));
  before.sha256.clear();
  EXPECT_FALSE(LooksUntouched(before, before.metadata));
  before.metadata.type = platform::FileType::kDirectory;
  EXPECT_TRUE(LooksUntouched(before, before.metadata));
}

TEST(Compare, AttributesCapabilitiesAndHardLinksAreMetadata) {
  FileRecord after = Record();
  after.attributes = {.sha256 = std::string(32, 'x'), .capabilities = "cap_net_raw=ep"};
  after.metadata.links = 2;
  auto finding = Compare(Record(), after);
  ASSERT_TRUE(finding.has_value());
  EXPECT_EQ(finding->kind(), v1::Finding::KIND_METADATA);
  EXPECT_EQ(finding->detail(), "hard links 1 -> 2, capabilities none -> cap_net_raw=ep");
  EXPECT_EQ(finding->after().capabilities(), "cap_net_raw=ep");
  EXPECT_EQ(finding->after().attributes_sha256(), std::string(32, 'x'));
  EXPECT_EQ(finding->after().links(), 2U);
  after = Record();
  after.attributes.sha256 = std::string(32, 'y');
  finding = Compare(Record(), after);
  ASSERT_TRUE(finding.has_value());
  EXPECT_EQ(finding->detail(), "attributes or access lists came");
}

}  // namespace
}  // namespace cordon::agent
