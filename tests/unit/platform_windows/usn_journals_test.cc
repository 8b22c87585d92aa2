#include "platform/windows/files/usn_journals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/strings.h"
#include "tests/unit/platform_windows/usn_pages.h"

namespace cordon::platform {
namespace {

using cordon::testing::FakeUsnVolume;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using R = UsnRecord;

// Lends a volume that the test keeps.
class Lent final : public UsnVolume {
 public:
  explicit Lent(FakeUsnVolume& fake) : fake_(fake) {}
  absl::StatusOr<UsnJournal> Query() override { return fake_.Query(); }
  absl::StatusOr<std::vector<uint8_t>> Read(uint64_t journal, int64_t from) override {
    return fake_.Read(journal, from);
  }
  absl::StatusOr<std::u16string> PathOfFolder(const UsnFileId& folder) override {
    return fake_.PathOfFolder(folder);
  }

 private:
  FakeUsnVolume& fake_;
};

class UsnJournalsTest : public ::testing::Test {
 protected:
  // An agent that starts on this volume.
  std::unique_ptr<UsnJournals> Start(bool catch_up = true) {
    std::vector<UsnJournals::Volume> volumes;
    volumes.push_back({.name = "volume-c", .mounted_at = u"C:\\", .volume = std::make_unique<Lent>(volume_)});
    auto journals = std::make_unique<UsnJournals>(std::move(volumes), [this](const std::string& text) {
      saved_ = {.text = text, .unix_nanos = 5};
      return absl::OkStatus();
    });
    journals->Begin(saved_, catch_up, ++now_);
    return journals;
  }
  // One that told all and stops.
  void RunAndStop() {
    const auto journals = Start();
    Tell(*journals);
    journals->Look(++now_);
    journals->Keep();
  }
  void Tell(UsnJournals& journals) {
    for (int step = 0; journals.CatchingUp() && step < 1'000; ++step) {
      UsnJournals::Step next = journals.Next();
      for (UsnTold& told : next.told) told_.push_back(std::move(told.path));
      for (const UsnJournals::Lost& lost : next.lost) lost_.push_back(lost);
    }
  }

  FakeUsnVolume volume_;
  std::optional<UsnJournals::Saved> saved_;
  int64_t now_ = 1'000;
  std::vector<std::u16string> told_;
  std::vector<UsnJournals::Lost> lost_;
};

TEST_F(UsnJournalsTest, WhatChangesBetweenTwoRunsIsToldByTheSecond) {
  RunAndStop();
  volume_.Happens(1, 50, u"a", R::kFileCreate | R::kClose);
  const auto journals = Start();
  Tell(*journals);
  EXPECT_THAT(told_, ::testing::ElementsAre(u"C:\\Users\\a"));
  EXPECT_THAT(lost_, IsEmpty());
  EXPECT_THAT(journals->Limitations(), IsEmpty());
}

TEST_F(UsnJournalsTest, TheFirstRunKeepsItsPlaceAtOnceAndTellsNothing) {
  volume_.Happens(1, 50, u"a", R::kFileCreate | R::kClose);
  const auto journals = Start();
  Tell(*journals);
  EXPECT_THAT(told_, IsEmpty());
  EXPECT_TRUE(saved_.has_value());
}

TEST_F(UsnJournalsTest, AnotherPolicyCatchesUpWithNothing) {
  RunAndStop();
  volume_.Happens(1, 50, u"a", R::kFileCreate | R::kClose);
  Tell(*Start(/*catch_up=*/false));
  EXPECT_THAT(told_, IsEmpty());
}

// What is on its way to the spool at a crash is told once more.
TEST_F(UsnJournalsTest, TEL1_AfterACrashWhatCameSinceTheLookBeforeTheLastKeepIsToldAgain) {
  const auto journals = Start();
  volume_.Happens(1, 50, u"old", R::kFileCreate | R::kClose);
  journals->Look(++now_);
  volume_.Happens(2, 50, u"young", R::kFileCreate | R::kClose);
  journals->Keep();
  journals->Look(++now_);
  Tell(*Start());
  EXPECT_THAT(told_, ::testing::ElementsAre(u"C:\\Users\\young"));
}

TEST_F(UsnJournalsTest, TEL1_ThePlaceIsNotMovedWhileItCatchesUp) {
  RunAndStop();
  for (uint64_t file = 1; file < 8; ++file) volume_.Happens(file, 50, u"a", R::kFileCreate | R::kClose);
  const std::string before = saved_->text;
  const auto journals = Start();
  journals->Next();
  ASSERT_TRUE(journals->CatchingUp());
  journals->Look(++now_);
  journals->Keep();
  EXPECT_EQ(saved_->text, before);
  Tell(*journals);
  journals->Keep();
  EXPECT_NE(saved_->text, before);
}

TEST_F(UsnJournalsTest, TEL1_AnotherJournalIsALossWithItsWindow) {
  RunAndStop();
  const int64_t stopped = now_;
  volume_.id = 8;
  const auto journals = Start();
  Tell(*journals);
  ASSERT_EQ(lost_.size(), 1U);
  EXPECT_EQ(lost_[0].mounted_at, u"C:\\");
  EXPECT_EQ(lost_[0].since_unix_nanos, stopped);
}

TEST_F(UsnJournalsTest, TEL1_DamagedPositionsAreALossSinceTheyWereWritten) {
  RunAndStop();
  saved_->text.resize(saved_->text.size() / 2);
  Tell(*Start());
  ASSERT_EQ(lost_.size(), 1U);
  EXPECT_EQ(lost_[0].since_unix_nanos, 5);
}

TEST_F(UsnJournalsTest, TEL1_AJournalThatCannotBeReadAnyMoreIsALossAndALimitation) {
  RunAndStop();
  volume_.works = absl::UnavailableError("no journal is active");
  const auto journals = Start();
  Tell(*journals);
  EXPECT_EQ(lost_.size(), 1U);
  ASSERT_EQ(journals->Limitations().size(), 1U);
  EXPECT_THAT(journals->Limitations()[0], HasSubstr("found by a scan alone (no journal is active)"));
}

TEST_F(UsnJournalsTest, AVolumeWithoutAJournalIsALimitationAndNoLoss) {
  volume_.works = absl::UnimplementedError("not supported");
  const auto journals = Start();
  EXPECT_FALSE(journals->CatchingUp());
  EXPECT_EQ(journals->Limitations().size(), 1U);
  EXPECT_FALSE(saved_.has_value());
}

TEST(UsnPositions, ComeBackAsTheyWere) {
  const UsnPositions positions = {
      {"\\\\?\\Volume{1}\\", {.journal = ~uint64_t{0}, .next_usn = 5, .unix_nanos = 6}},
      {"D:\\", {.journal = 0, .next_usn = 0, .unix_nanos = 0}}};
  const auto parsed = ParseUsnPositions(FormatUsnPositions(positions));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(*parsed, positions);
}

TEST(UsnPositions, AUT6_OtherTextIsRefused) {
  const std::string good = FormatUsnPositions({{"C:", {.journal = 1, .next_usn = 2, .unix_nanos = 3}}});
  ASSERT_TRUE(ParseUsnPositions(good).ok());
  for (size_t length = 0; length < good.size(); ++length)
    EXPECT_FALSE(ParseUsnPositions(good.substr(0, length)).ok()) << length;
  for (const char* line : {"C:\t-1\t2\t3\n", "C:\t1\t-2\t3\n", "\t1\t2\t3\n", "C:\t1\t2 \t3\n",
                           "C:\t1\t2\t99999999999999999999\n", "C:\t1\t2\t3\nC:\t1\t2\t3\n"}) {
    const std::string text = StrCat("cordon-usn-positions 1\n", line, "end\n");
    EXPECT_FALSE(ParseUsnPositions(text).ok()) << line;
  }
}

}  // namespace
}  // namespace cordon::platform
