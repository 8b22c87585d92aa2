// How often somebody may guess (AUT-5).

#include <gmock/gmock.h>

#include <fstream>

#include "agent/unlock/unlock_state.h"
#include "common/crypto/random.h"
#include "tests/security/unlock/unlock_box.h"
#include "tests/support/soak.h"

namespace cordon::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kWrong = "000000000000";

class UnlockRate : public UnlockBox {
 protected:
  void GuessWrong() {
    ASSERT_THAT(unlocker_->Answer(kWrong), Fails(absl::StatusCode::kPermissionDenied, "wrong code"));
  }
  // Whether a code would be looked at now; what is asked with is not a wrong code's attempt then.
  void ExpectTooSoon() {
    EXPECT_THAT(unlocker_->Answer(good_), Fails(absl::StatusCode::kResourceExhausted, "too soon"));
    EXPECT_TRUE(Closed());
  }
  void ExpectOpens() {
    EXPECT_THAT(unlocker_->Answer(good_), IsOk());
    EXPECT_FALSE(Closed());
  }

  std::string good_ = GoodCode(Challenge());
};

TEST_F(UnlockRate, AUT5_TheDelayDoublesUpToAnHour) {
  EXPECT_EQ(agent::UnlockDelay(0), 0);
  for (uint32_t wrong = 1; wrong <= 20; ++wrong) {
    const int64_t seconds = wrong < 12 ? int64_t{1} << wrong : 3'600;
    EXPECT_EQ(agent::UnlockDelay(wrong), seconds * kNanosPerSecond);
    GuessWrong();
    clock_.Advance(seconds * kNanosPerSecond - 1);
    EXPECT_THAT(unlocker_->Answer(kWrong), Fails(absl::StatusCode::kResourceExhausted, "too soon")) << wrong;
    clock_.Advance(1);
  }
  ExpectOpens();
}

TEST_F(UnlockRate, AUT5_NeitherARestartNorARebootNorANewChallengeShortensIt) {
  for (int i = 0; i < 5; ++i) {
    GuessWrong();
    clock_.Advance(kUnlockHour);
  }
  GuessWrong();  // 64 s
  Start();
  ExpectTooSoon();
  good_ = GoodCode(Challenge());
  ExpectTooSoon();
  clock_.Advance(30 * kNanosPerSecond);
  Start();
  ExpectTooSoon();
  Reboot("boot-2");  // 34 s left
  clock_.Advance(33 * kNanosPerSecond);
  Start("boot-2");
  ExpectTooSoon();
  clock_.Advance(kNanosPerSecond);
  ExpectOpens();
}

TEST_F(UnlockRate, AUT5_ACodeIsCountedBeforeItIsLookedAt) {
  std::filesystem::remove_all(folder_.Path());  // nothing can be kept any more
  EXPECT_THAT(unlocker_->Answer(good_), Fails(absl::StatusCode::kAborted, "not looked at"));
  EXPECT_TRUE(Closed()) << "though it was right";
  std::filesystem::create_directory(folder_.Path());
  ExpectOpens();
}

TEST_F(UnlockRate, AUT5_AGoodCodeEndsTheDelay) {
  for (int i = 0; i < 12; ++i) {
    GuessWrong();
    clock_.Advance(kUnlockHour);
  }
  ExpectOpens();
  good_ = GoodCode(Challenge());
  GuessWrong();
  clock_.Advance(2 * kNanosPerSecond);
  EXPECT_THAT(unlocker_->Answer(good_), IsOk()) << "counted from the beginning again";
}

TEST_F(UnlockRate, AUT5_WhatCannotBeACodeIsNoAttempt) {
  for (const std::string_view typed : {"", "1234", "this is no code at all", "E6QV-87PP-QYK!"}) {
    EXPECT_THAT(unlocker_->Answer(typed), Fails(absl::StatusCode::kInvalidArgument, "a code")) << typed;
  }
  EXPECT_THAT(unlocker_->Answer(std::string(100'000, 'A')),
              Fails(absl::StatusCode::kInvalidArgument, "longer"));
  ExpectOpens();
}

TEST_F(UnlockRate, AUT5_EveryWrongCodeIsRecordedAndAFloodOfThemIsNot) {
  GuessWrong();
  for (int i = 0; i < 1'000; ++i) ExpectTooSoon();
  clock_.Advance(2 * kNanosPerSecond);
  GuessWrong();
  EXPECT_THAT(Results(), ElementsAre(Result::RESULT_CHALLENGE_SHOWN, Result::RESULT_WRONG_CODE,
                                     Result::RESULT_TOO_SOON, Result::RESULT_WRONG_CODE));
  EXPECT_EQ(Told().back().wrong_codes(), 2U);
}

// A damaged file may have been a guesser's.
TEST_F(UnlockRate, AUT5_ADamagedStateIsTheLongestDelayAndIsTold) {
  std::ifstream file(StateFile(), std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  ASSERT_GT(whole.size(), 50U);
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    std::ofstream(StateFile(), std::ios::binary) << damaged;
    Start();
    ASSERT_THAT(unlocker_->Notice(), HasSubstr("no unlock code is looked at for 1h")) << at;
  }
  EXPECT_THAT(Told().back().detail(), HasSubstr("altered"));
  EXPECT_TRUE(std::filesystem::exists(StateFile().string() + ".damaged"));
  good_ = GoodCode(Challenge());
  ExpectTooSoon();
  Start();
  EXPECT_EQ(unlocker_->Notice(), "") << "put right, and still waiting";
  ExpectTooSoon();
  clock_.Advance(kUnlockHour);
  ExpectOpens();
}

// Somebody guesses for a year as fast as the host allows.
TEST_F(UnlockRate, AUT5_GuessesForAYearAreFewAndNoneOpens) {
  constexpr int64_t kYear = 365 * kUnlockDay;
  const int most = StormCount(500, 10'000);
  int looked_at = 0;
  const int64_t began = clock_.BootNanos();
  while (clock_.BootNanos() - began < kYear && looked_at < most) {
    std::string guess = RandomBytes(kUnlockLetters);
    for (char& letter : guess)
      letter = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[static_cast<unsigned char>(letter) % 32];
    const auto answer = unlocker_->Answer(guess);
    ASSERT_FALSE(answer.ok());
    if (absl::IsPermissionDenied(answer.status())) {
      ++looked_at;
      if (looked_at % 50 == 0) Start();
    }
    clock_.Advance(agent::UnlockDelay(static_cast<uint32_t>(looked_at)) / 2);  // twice as often as allowed
  }
  EXPECT_TRUE(Closed());
  const int64_t passed = clock_.BootNanos() - began;
  EXPECT_LE(looked_at, 12 + passed / kUnlockHour + 1);
  std::cout << looked_at << " guesses were looked at in " << passed / kUnlockDay << " days, of 2^60 codes\n";
  clock_.Advance(kUnlockHour);
  ExpectOpens();
}

}  // namespace
}  // namespace cordon::testing
