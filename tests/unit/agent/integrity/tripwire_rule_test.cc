#include "agent/integrity/tripwire_rule.h"

#include <gtest/gtest.h>

namespace cordon::agent {
namespace {

constexpr int64_t kMilli = 1'000'000;
constexpr TripwireLimits kLimits = {.files = 3, .window_nanos = 1'000 * kMilli};

std::string Document(int number) {
  return "/home/ann/" + std::to_string(number) + ".docx";
}

FileDeedSeen Written(int number, Content content, int64_t at = 0) {
  return {.kind = FileDeedSeen::kWritten,
          .path = Document(number),
          .old_path = "",
          .content = content,
          .actor = "p",
          .actor_parent = "",
          .boottime_nanos = at};
}

FileDeedSeen Came(const std::string& path, Content content, int64_t at = 0) {
  FileDeedSeen seen = Written(0, content, at);
  seen.kind = FileDeedSeen::kCreated;
  seen.path = path;
  return seen;
}

FileDeedSeen Gone(int number, int64_t at = 0) {
  FileDeedSeen seen = Written(number, Content::kTooShort, at);
  seen.kind = FileDeedSeen::kGone;
  return seen;
}

TEST(TripwireRule, DocumentsOverwrittenByNoiseAreCountedOnceEach) {
  TripwireRule rule(kLimits);
  EXPECT_FALSE(rule.Add(Written(1, Content::kNoise)));
  EXPECT_FALSE(rule.Add(Written(1, Content::kNoise)));
  EXPECT_FALSE(rule.Add(Written(2, Content::kNoise)));
  EXPECT_EQ(rule.Add(Written(3, Content::kNoise)), 3U);
  EXPECT_FALSE(rule.Add(Written(4, Content::kNoise))) << "told already";
}

TEST(TripwireRule, SavingDocumentsIsNoHarm) {
  TripwireRule rule(kLimits);
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(rule.Add(Written(i, Content::kPacked)));
    EXPECT_FALSE(rule.Add(Written(i, Content::kOrdered)));
    EXPECT_FALSE(rule.Add(Written(i, Content::kTooShort)));
  }
}

TEST(TripwireRule, EncryptedCopiesWithTheDocumentsDeleted) {
  TripwireRule rule(kLimits);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(rule.Add(Came(Document(i) + ".locked", Content::kNoise)));
  EXPECT_FALSE(rule.Add(Gone(1)));
  EXPECT_FALSE(rule.Add(Gone(2)));
  EXPECT_EQ(rule.Add(Gone(3)), 3U);
}

TEST(TripwireRule, ABackupThatKeepsTheDocumentsIsNoHarm) {
  TripwireRule rule(kLimits);
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(rule.Add(Came("/backup/" + std::to_string(i), Content::kNoise)));
    EXPECT_FALSE(rule.Add(Came("/backup/day" + std::to_string(i) + ".docx", Content::kNoise)))
        << "a new file takes nothing away";
  }
}

FileDeedSeen MovedIn(int number, Content content) {
  FileDeedSeen seen = Written(number, content);
  seen.kind = FileDeedSeen::kMovedIn;
  return seen;
}

TEST(TripwireRule, DocumentsThatComeBackAsNoise) {
  TripwireRule rule(kLimits);
  EXPECT_FALSE(rule.Add(MovedIn(1, Content::kNoise)));
  EXPECT_FALSE(rule.Add(MovedIn(2, Content::kNoise)));
  EXPECT_EQ(rule.Add(MovedIn(3, Content::kNoise)), 3U);
}

TEST(TripwireRule, DocumentsThatAreMovedInAreNoHarm) {
  TripwireRule rule(kLimits);
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(rule.Add(MovedIn(i, Content::kPacked)));
    EXPECT_FALSE(rule.Add(MovedIn(i, Content::kOrdered)));
    EXPECT_FALSE(rule.Add(MovedIn(i, Content::kTooShort)));
  }
}

TEST(TripwireRule, DeletingDocumentsIsNoHarmByItself) {
  TripwireRule rule(kLimits);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(rule.Add(Gone(i)));
}

TEST(TripwireRule, RenamedToAnotherExtensionAndNoise) {
  TripwireRule rule(kLimits);
  for (int i = 0; i < 3; ++i) {
    FileDeedSeen moved = Came(Document(i) + ".locked", Content::kNoise);
    moved.kind = FileDeedSeen::kMoved;
    moved.old_path = Document(i);
    EXPECT_EQ(rule.Add(moved).has_value(), i == 2);
  }
}

TEST(TripwireRule, OrderedFilesThatAreRenamedAreNoHarm) {
  TripwireRule rule(kLimits);
  for (int i = 0; i < 100; ++i) {
    FileDeedSeen moved = Came(Document(i) + ".old", Content::kPacked);
    moved.kind = FileDeedSeen::kMoved;
    moved.old_path = Document(i);
    EXPECT_FALSE(rule.Add(moved));
  }
}

TEST(TripwireRule, OnlyWithinTheWindow) {
  TripwireRule rule(kLimits);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(rule.Add(Written(i, Content::kNoise, i * 501 * kMilli)));
  EXPECT_TRUE(rule.Add(Written(20, Content::kNoise, 19 * 501 * kMilli + 10 * kMilli)));
}

TEST(TripwireRule, AfterAQuietWindowItTellsAgain) {
  TripwireRule rule(kLimits);
  int told = 0;
  for (int i = 0; i < 10; ++i) told += rule.Add(Written(i, Content::kNoise, 0)).has_value() ? 1 : 0;
  EXPECT_EQ(told, 1);
  for (int i = 0; i < 10; ++i)
    told += rule.Add(Written(i, Content::kNoise, 2'000 * kMilli)).has_value() ? 1 : 0;
  EXPECT_EQ(told, 2);
}

TEST(TripwireRule, OneProgramPerFileIsSeenByTheParent) {
  TripwireRule rule(kLimits);
  for (int i = 0; i < 3; ++i) {
    FileDeedSeen seen = Written(i, Content::kNoise);
    seen.actor = "child" + std::to_string(i);
    seen.actor_parent = "script";
    EXPECT_EQ(rule.Add(seen).has_value(), i == 2);
  }
}

TEST(TripwireRule, DifferentProcessesAreNotAddedUp) {
  TripwireRule rule(kLimits);
  for (int i = 0; i < 3'000; ++i) {
    FileDeedSeen seen = Written(i, Content::kNoise);
    seen.actor = "process" + std::to_string(i);
    EXPECT_FALSE(rule.Add(seen));
  }
}

}  // namespace
}  // namespace cordon::agent
