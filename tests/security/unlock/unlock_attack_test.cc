// Who can free a host by phone, and with what (AUT-5).

#include <gmock/gmock.h>

#include "tests/security/unlock/unlock_box.h"

namespace cordon::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kTenYears = 10LL * 365 * 24 * kUnlockHour;

class UnlockAttack : public UnlockBox {
 protected:
  // Answers as somebody who may be wrong, with all the delay that it needs.
  void ExpectRefused(const std::string& code, const std::string& why) {
    clock_.Advance(2 * kUnlockHour);
    EXPECT_THAT(unlocker_->Answer(code), Fails(absl::StatusCode::kPermissionDenied, "wrong code")) << why;
    EXPECT_TRUE(Closed()) << why;
  }
  // The positive control: the same challenge, answered as it should be.
  void ExpectOpens(const std::string& code) {
    clock_.Advance(2 * kUnlockHour);
    EXPECT_THAT(unlocker_->Answer(code), IsOk());
    EXPECT_EQ(Enforced(), platform::Level::kObserve);
  }
};

TEST_F(UnlockAttack, AUT5_TheRightCodeOpensOneLevelForATimeAndIsRecorded) {
  const std::string challenge = Challenge(v1::LEVEL_NO_LATERAL, kUnlockHour);
  const auto answer = unlocker_->Answer(GoodCode(challenge));
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->level(), v1::LEVEL_NO_LATERAL);
  EXPECT_EQ(answer->length_nanos(), kUnlockHour);
  EXPECT_EQ(answer->operator_name(), "alex");
  EXPECT_EQ(Enforced(), platform::Level::kNoLateral);
  clock_.Advance(kUnlockHour);
  isolation_->Tick();
  EXPECT_TRUE(Closed());
  const auto told = Told();
  ASSERT_THAT(Results(),
              ElementsAre(Result::RESULT_CHALLENGE_SHOWN, Result::RESULT_UNLOCKED, Result::RESULT_ENDED));
  EXPECT_EQ(told[1].operator_id(), alex_.id);
  EXPECT_EQ(told[1].level(), v1::LEVEL_NO_LATERAL);
  EXPECT_EQ(told[1].length_nanos(), kUnlockHour);
  EXPECT_EQ(InGroups(told[1].challenge()), challenge);
}

TEST_F(UnlockAttack, AUT5_IsTypedAsPeopleType) {
  std::string code = GoodCode(Challenge());
  code.insert(8, " ").insert(4, "-");
  for (char& letter : code) letter = static_cast<char>(std::tolower(letter));
  EXPECT_THAT(unlocker_->Answer(" " + code + "\n"), IsOk());
}

TEST_F(UnlockAttack, AUT5_ACodeOpensOnce) {
  const std::string code = GoodCode(Challenge());
  ASSERT_THAT(unlocker_->Answer(code), IsOk());
  clock_.Advance(5 * kUnlockHour);
  isolation_->Tick();
  ASSERT_TRUE(Closed());
  EXPECT_THAT(unlocker_->Answer(code), Fails(absl::StatusCode::kFailedPrecondition, "no challenge is open"));
  Start();
  EXPECT_THAT(unlocker_->Answer(code), Fails(absl::StatusCode::kFailedPrecondition, "no challenge is open"));
  const std::string next = Challenge();
  ExpectRefused(code, "a code of an old challenge");
  ExpectOpens(GoodCode(next));
}

TEST_F(UnlockAttack, AUT5_ANewChallengeTakesThePlaceOfTheOldOne) {
  const std::string old_code = GoodCode(Challenge());
  const std::string challenge = Challenge();
  ExpectRefused(old_code, "the old challenge");
  ExpectOpens(GoodCode(challenge));
}

TEST_F(UnlockAttack, AUT5_ACodeForAnEarlierOrderOpensNothing) {
  const std::string code = GoodCode(Challenge());
  ASSERT_TRUE(isolation_->Release("released", 2).ok());
  Must(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "again", 3).status());
  Start();
  const auto answer = unlocker_->Answer(code);
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kFailedPrecondition) << answer.status();
  EXPECT_TRUE(Closed());
  EXPECT_THAT(unlocker_->Answer(GoodCode(Challenge())), IsOk());  // one for this order does
}

// Whoever gave the code did not know of the tripwire.
TEST_F(UnlockAttack, AUT5_ACodeFromBeforeTheHostIsolatedItselfOpensNothing) {
  Must(isolation_->Set(Isolate(v1::LEVEL_NO_LATERAL), "low", 2).status());
  const std::string code = GoodCode(Challenge());
  v1::SelfIsolation allowed;
  allowed.set_level(v1::LEVEL_ESSENTIAL);
  allowed.mutable_lease()->mutable_length()->set_seconds(3'600);
  Must(isolation_->TakeByItself(allowed, "tripwire: a test").status());
  Start();
  EXPECT_THAT(unlocker_->Answer(code),
              Fails(absl::StatusCode::kFailedPrecondition, "has isolated itself since"));
  EXPECT_TRUE(Closed());
  EXPECT_THAT(unlocker_->Answer(GoodCode(Challenge())), IsOk());  // one from after it does
  EXPECT_FALSE(Closed());
}

TEST_F(UnlockAttack, AUT5_AChallengeOutlivesARestart) {
  const std::string challenge = Challenge();
  Start();
  ExpectOpens(GoodCode(challenge));
}

TEST_F(UnlockAttack, AUT5_AnotherHostsCodeOpensNothing) {
  const std::string challenge = Challenge();
  UnlockParties other = Known();
  other.host_id = NewUuid();
  ExpectRefused(alex_.CodeFor(other, challenge), "another host id");
  other = Known();
  other.fleet_id = NewUuid();
  ExpectRefused(alex_.CodeFor(other, challenge), "another fleet");
  ExpectOpens(GoodCode(challenge));
}

TEST_F(UnlockAttack, AUT5_ACodeForAnotherLevelOrLengthOpensNothing) {
  const std::string challenge = Challenge(v1::LEVEL_OBSERVE, kUnlockHour);
  UnlockChallenge altered = Must(ReadUnlockChallenge(challenge));
  altered.length_nanos = 7 * kUnlockDay;
  ExpectRefused(GoodCode(WriteUnlockChallenge(altered)), "another length");
  altered = Must(ReadUnlockChallenge(challenge));
  altered.level = v1::LEVEL_NO_LATERAL;
  ExpectRefused(GoodCode(WriteUnlockChallenge(altered)), "another level");
  ExpectOpens(GoodCode(challenge));
}

// It knows every public key, the trust bundle and all that hosts and operators send; it has no private key of
// either.
TEST_F(UnlockAttack, AUT5_ACapturedControllerCannotAnswer) {
  const std::string challenge = Challenge();
  const UnlockPerson controller;
  ExpectRefused(controller.CodeFor(Known(), challenge),
                "with a key of its own and an id that is in no bundle");
  UnlockPerson posing;
  posing.id = alex_.id;
  ExpectRefused(posing.CodeFor(Known(), challenge), "with a key of its own in an operator's name");
  // What it shares with the operator when it hands out a host's key of its own.
  UnlockParties substituted = Known();
  const KeyPtr false_host = Must(NewX25519Key());
  substituted.host_public_key = Must(RawX25519PublicKey(*false_host));
  substituted.operator_id = alex_.id;
  substituted.operator_public_key = alex_.PublicKey();
  ExpectRefused(Must(UnlockCode(substituted, Must(ReadUnlockChallenge(challenge)), *false_host)),
                "with the secret of a false host key");
  ExpectRefused(alex_.CodeFor(substituted, challenge),
                "the operator's code for a key that was put in the host's place");
  ExpectOpens(GoodCode(challenge));
}

// The operator means "front-desk", the controller hands out the server's id and key for that name.
TEST_F(UnlockAttack, AUT5_ACapturedControllerCannotHaveAnotherHostFreed) {
  const std::string challenge = Challenge();
  UnlockParties misled = Known();
  misled.host_name = "reception-2";
  ExpectRefused(alex_.CodeFor(misled, challenge), "a code that was meant for another name");
  ExpectOpens(GoodCode(challenge));
}

TEST_F(UnlockAttack, AUT5_WhoIsNotInTheBundleInForceOpensNothing) {
  UnlockPerson robin;
  robin.name = "robin";
  *trust_.add_operators() = robin.Trusted();
  const std::string challenge = Challenge();
  const std::string code = alex_.CodeFor(Known(), challenge);
  trust_.mutable_operators()->DeleteSubrange(0, 1);  // a new bundle, without alex
  ExpectRefused(code, "an operator who was removed");
  ExpectOpens(robin.CodeFor(Known(), challenge));
  EXPECT_EQ(Told().back().operator_id(), robin.id);
}

TEST_F(UnlockAttack, AUT5_WithoutTheRoleAKeyOpensNothing) {
  UnlockPerson scanner;
  *trust_.add_operators() = scanner.Trusted(v1::TrustedOperator::ROLE_ISOLATE);
  const std::string challenge = Challenge();
  ExpectRefused(scanner.CodeFor(Known(), challenge), "an operator without the role");
  ExpectOpens(GoodCode(challenge));
}

TEST_F(UnlockAttack, AUT5_WithoutAnybodyWhoCouldAnswerItSaysSo) {
  trust_.mutable_operators(0)->clear_unlock_public_key();
  EXPECT_THAT(unlocker_->Begin(v1::LEVEL_OBSERVE, kUnlockHour),
              Fails(absl::StatusCode::kFailedPrecondition, "nobody can answer"));
  trust_.mutable_operators(0)->set_unlock_public_key(std::string(32, '\0'));  // of low order
  const std::string challenge = Challenge();
  ExpectRefused(GoodCode(challenge), "a key that everybody shares a secret with");
  *trust_.mutable_operators(0) = alex_.Trusted();
  ExpectOpens(GoodCode(challenge));
}

TEST_F(UnlockAttack, AUT5_TheWallClockDoesNotCount) {
  for (const int64_t shift : {-kTenYears, 2 * kTenYears}) {
    clock_.SetWall(clock_.WallNanos() + shift);
    const std::string challenge = Challenge();
    EXPECT_THAT(unlocker_->Answer("000000000000"), Fails(absl::StatusCode::kPermissionDenied, "wrong code"));
    clock_.SetWall(clock_.WallNanos() - shift);
    EXPECT_THAT(unlocker_->Answer(GoodCode(challenge)),
                Fails(absl::StatusCode::kResourceExhausted, "too soon"));
    clock_.Advance(2 * kNanosPerSecond);
    clock_.SetWall(clock_.WallNanos() + shift);
    ASSERT_THAT(unlocker_->Answer(GoodCode(challenge)), IsOk());
    clock_.Advance(4 * kUnlockHour);
    isolation_->Tick();
    ASSERT_TRUE(Closed());
  }
}

TEST_F(UnlockAttack, AUT5_NothingIsAskedForThatCannotBeGiven) {
  EXPECT_THAT(unlocker_->Begin(v1::LEVEL_ESSENTIAL, kUnlockHour),
              Fails(absl::StatusCode::kFailedPrecondition, "not above essential"));
  EXPECT_THAT(unlocker_->Begin(v1::LEVEL_DARK, kUnlockHour),
              Fails(absl::StatusCode::kInvalidArgument, "unlocked to"));
  EXPECT_THAT(unlocker_->Begin(v1::LEVEL_OBSERVE, 8 * kUnlockDay),
              Fails(absl::StatusCode::kInvalidArgument, "15m, 30m"));
  EXPECT_THAT(unlocker_->Answer(std::string(12, '0')),
              Fails(absl::StatusCode::kFailedPrecondition, "no challenge"));
  const std::string code = GoodCode(Challenge());
  Must(isolation_->Release("order-2", 2).status());
  EXPECT_THAT(unlocker_->Answer(code), Fails(absl::StatusCode::kFailedPrecondition, "not isolated"));
}

TEST_F(UnlockAttack, AUT5_WhenTheKernelRefusesTheCodeIsUsedUpAndItIsSaid) {
  const std::string code = GoodCode(Challenge());
  filter_.FailApply(absl::InternalError("the kernel says no"));
  EXPECT_THAT(unlocker_->Answer(code), Fails(absl::StatusCode::kAborted, "the kernel says no"));
  filter_.FailApply(absl::OkStatus());
  EXPECT_TRUE(Closed());
  EXPECT_THAT(Told().back().detail(), HasSubstr("the level could not be changed"));
  EXPECT_THAT(unlocker_->Answer(code), Fails(absl::StatusCode::kFailedPrecondition, "no challenge"));
  ExpectOpens(GoodCode(Challenge()));
}

}  // namespace
}  // namespace cordon::testing
