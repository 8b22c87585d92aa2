#include "agent/app/user_teller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <vector>

#include "tests/support/temp_folder.h"

namespace cordon::testing {
namespace {

using agent::UserTeller;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class UserTellerTest : public ::testing::Test {
 protected:
  UserTellerTest() { Start(); }

  // The agent (again), on the same host. What the one before had to show is shown first.
  void Start() {
    teller_.reset();
    teller_ = std::make_unique<UserTeller>(folder_ / "told", [this](const platform::UserNotice& notice) {
      const std::lock_guard lock(mutex_);
      shown_.push_back(notice.text);
    });
  }

  static v1::Receipt Receipt(const std::string& order, v1::Level intended, v1::Level enforced) {
    v1::Receipt receipt;
    receipt.set_order_id(order);
    receipt.set_intended_level(intended);
    receipt.set_enforced_level(enforced);
    return receipt;
  }
  void Isolated(const std::string& order, v1::Level level) {
    teller_->OnReceipt(Receipt(order, level, level), level);
  }

  // All that has been shown by now.
  std::vector<std::string> Shown() {
    Start();  // waits
    const std::lock_guard lock(mutex_);
    return std::exchange(shown_, {});
  }

  TempFolder folder_;
  std::mutex mutex_;
  std::vector<std::string> shown_;
  std::unique_ptr<UserTeller> teller_;
};

TEST_F(UserTellerTest, TellsAnOrderOnceInItsOwnWords) {
  teller_->Expect("order-1", "Please call 0113 496 0000.");
  Isolated("order-1", v1::LEVEL_ESSENTIAL);
  Isolated("order-1", v1::LEVEL_ESSENTIAL);  // drift repaired, interfaces changed, the hourly receipt
  EXPECT_THAT(Shown(), ElementsAre("Please call 0113 496 0000."));
  Isolated("order-1", v1::LEVEL_ESSENTIAL);
  EXPECT_THAT(Shown(), IsEmpty()) << "not again after a restart";
}

TEST_F(UserTellerTest, HasWordsForEveryLevel) {
  std::vector<std::string> all;
  for (int level = v1::LEVEL_OBSERVE; level <= v1::LEVEL_DARK; ++level) {
    const platform::UserNotice notice = agent::NoticeFor(static_cast<v1::Level>(level), "");
    EXPECT_THAT(notice.text, HasSubstr("security team")) << level;
    EXPECT_FALSE(notice.title.empty());
  }
  Isolated("order-1", v1::LEVEL_NO_LATERAL);
  EXPECT_THAT(Shown(), ElementsAre(HasSubstr("some connections")));
}

TEST_F(UserTellerTest, TellsEveryStepDownAndTheReleaseInTheLevelsWords) {
  teller_->Expect("order-1", "in the order's words");
  Isolated("order-1", v1::LEVEL_ESSENTIAL);
  EXPECT_THAT(Shown(), ElementsAre("in the order's words"));
  teller_->OnReceipt(Receipt("order-1", v1::LEVEL_ESSENTIAL, v1::LEVEL_NO_LATERAL), v1::LEVEL_NO_LATERAL);
  EXPECT_THAT(Shown(), ElementsAre(HasSubstr("some connections")));
  teller_->Expect("order-2", "All is well.");
  Isolated("order-2", v1::LEVEL_OBSERVE);
  EXPECT_THAT(Shown(), ElementsAre("All is well."));
}

TEST_F(UserTellerTest, TellsWhatTheHostTookByItselfInThePolicysWordsAndTheOrderInItsOwn) {
  teller_->Expect("order-1", "in the order's words");
  Isolated("order-1", v1::LEVEL_NO_LATERAL);
  teller_->ExpectByItself("order-1", v1::LEVEL_ESSENTIAL, "in the policy's words");
  Isolated("order-1", v1::LEVEL_ESSENTIAL);
  EXPECT_EQ(Shown().back(), "in the policy's words");
  teller_->Expect("order-2", "in the order's words");
  teller_->ExpectByItself("order-2", v1::LEVEL_ESSENTIAL, "in the policy's words");
  Isolated("order-2", v1::LEVEL_ESSENTIAL);
  Isolated("order-2", v1::LEVEL_NO_LATERAL);  // the lease has ended
  EXPECT_EQ(Shown().back(), "in the order's words");
}

TEST_F(UserTellerTest, SaysNothingOfDriftNorOfAHoldNorOfAHostThatIsFreeAnyway) {
  teller_->OnReceipt(Receipt("order-1", v1::LEVEL_ESSENTIAL, v1::LEVEL_OBSERVE), v1::LEVEL_ESSENTIAL);
  teller_->OnReceipt(Receipt("order-1", v1::LEVEL_ESSENTIAL, v1::LEVEL_UNSPECIFIED), v1::LEVEL_ESSENTIAL);
  teller_->OnReceipt(Receipt("", v1::LEVEL_OBSERVE, v1::LEVEL_CONTROLLER_ONLY), v1::LEVEL_OBSERVE);
  Isolated("", v1::LEVEL_OBSERVE);
  teller_->Expect("order-0", "words");
  Isolated("order-0", v1::LEVEL_OBSERVE);
  EXPECT_THAT(Shown(), IsEmpty());
  Isolated("order-1", v1::LEVEL_ESSENTIAL);
  EXPECT_THAT(Shown(), ElementsAre(Not(HasSubstr("words"))))
      << "the positive control, and no words of another order";
}

}  // namespace
}  // namespace cordon::testing
