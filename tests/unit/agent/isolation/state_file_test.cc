#include "agent/isolation/state_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/base/strings.h"
#include "tests/support/actions.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {
namespace {

v1::IsolationState Numbered(uint64_t sequence, size_t padding = 0) {
  v1::IsolationState state;
  state.set_order_id(StrCat("order ", sequence, std::string(padding, 'x')));
  state.set_sequence(sequence);
  *state.mutable_action() = testing::Isolate(v1::LEVEL_DARK);
  return state;
}

class StateFileTest : public ::testing::Test {
 protected:
  void Save(const v1::IsolationState& state) {
    const absl::Status saved = state_file_.Save(state);
    ASSERT_TRUE(saved.ok()) << saved;
    EXPECT_EQ(LoadState(file_)->SerializeAsString(), state.SerializeAsString());
  }
  testing::TempFolder folder_;
  const std::filesystem::path file_ = folder_ / "isolation.state";
  StateFile state_file_{file_};
};

TEST_F(StateFileTest, GivesBackWhatWasSavedLast) {
  EXPECT_TRUE(absl::IsNotFound(LoadState(file_).status()));
  for (uint64_t sequence = 1; sequence <= 5; ++sequence) Save(Numbered(sequence));
  EXPECT_EQ(std::filesystem::status(file_).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(StateFileTest, GrowsWithTheState) {
  for (const size_t padding : {10UL, 60'000UL, 200'000UL, 10UL, 3'000'000UL, 20UL})
    Save(Numbered(padding, padding));
  EXPECT_FALSE(state_file_.Save(Numbered(1, kMaxStateBytes + 1)).ok());
  EXPECT_EQ(LoadState(file_)->sequence(), 20U);
}

// So that a full disk has room for the next order.
TEST_F(StateFileTest, IsWrittenInPlace) {
  Save(Numbered(1));
  std::filesystem::create_hard_link(file_, folder_ / "same");
  Save(Numbered(2));
  EXPECT_EQ(LoadState(folder_ / "same")->sequence(), 2U);
}

TEST_F(StateFileTest, WhatIsDamagedIsSaidAndThenReplaced) {
  Save(Numbered(1));
  std::ofstream(file_) << "cordon-isolation-state-v2\nnonsense";
  EXPECT_TRUE(absl::IsDataLoss(LoadState(file_).status()));
  Save(Numbered(2));
}

TEST_F(StateFileTest, ISO9_SavesNothingOverWhatAnotherHasWritten) {
  StateFile other(file_);
  ASSERT_TRUE(other.SaveOverKnown(Numbered(1)).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(state_file_.SaveOverKnown(Numbered(2))));
  EXPECT_EQ(LoadState(file_)->sequence(), 1U);
  ASSERT_TRUE(state_file_.Load().ok());
  EXPECT_TRUE(state_file_.SaveOverKnown(Numbered(2)).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(other.SaveOverKnown(Numbered(3))));
  EXPECT_EQ(LoadState(file_)->sequence(), 2U);
}

TEST_F(StateFileTest, KnowsWhetherSomebodyElseHasWritten) {
  StateFile other(file_);
  EXPECT_TRUE(other.IsAsKnown()) << "there is none";
  Save(Numbered(1));
  EXPECT_TRUE(state_file_.IsAsKnown());
  EXPECT_FALSE(other.IsAsKnown());
  ASSERT_TRUE(other.Load().ok());
  EXPECT_TRUE(other.IsAsKnown());
  Save(Numbered(1));
  EXPECT_FALSE(other.IsAsKnown()) << "of the same content, but written anew";
  std::filesystem::remove(file_);
  EXPECT_FALSE(state_file_.IsAsKnown());
  EXPECT_TRUE(absl::IsNotFound(state_file_.Load().status()));
  EXPECT_TRUE(state_file_.IsAsKnown());
}

}  // namespace
}  // namespace cordon::agent
