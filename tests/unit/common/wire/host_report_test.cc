#include "common/wire/host_report.h"

#include <gtest/gtest.h>

#include <string>

namespace cordon {
namespace {

using v1::OrderOutcome;

OrderOutcome GoodOutcome() {
  OrderOutcome outcome;
  outcome.set_order_id("11111111-2222-4333-8444-555555555555");
  outcome.set_state(OrderOutcome::STATE_DONE);
  return outcome;
}

TEST(HostReport, AUT6_AReceiptIsNoLongerThanItMayBe) {
  v1::Receipt receipt;
  receipt.add_reasons(std::string(kMaxReceiptBytes - 100, 'x'));
  EXPECT_TRUE(CheckReceipt(receipt).ok());
  receipt.add_reasons(std::string(100, 'x'));
  EXPECT_FALSE(CheckReceipt(receipt).ok());
  OrderOutcome outcome = GoodOutcome();
  EXPECT_TRUE(CheckOutcome(outcome).ok());
  *outcome.mutable_receipt() = receipt;
  EXPECT_FALSE(CheckOutcome(outcome).ok());
}

TEST(HostReport, AUT6_AnOutcomeIsNoLongerThanItMayBeAndNamesAnOrder) {
  OrderOutcome outcome = GoodOutcome();
  outcome.set_message(std::string(kMaxOutcomeBytes - 100, 'x'));
  EXPECT_TRUE(CheckOutcome(outcome).ok());
  outcome.set_message(std::string(kMaxOutcomeBytes, 'x'));
  EXPECT_FALSE(CheckOutcome(outcome).ok());
  outcome = GoodOutcome();
  outcome.set_order_id("the order");
  EXPECT_FALSE(CheckOutcome(outcome).ok());
}

TEST(HostReport, AHostCannotCallItsOrderPendingOrDeliveredOrUseAStateThatIsNone) {
  OrderOutcome outcome = GoodOutcome();
  for (const OrderOutcome::State state :
       {OrderOutcome::STATE_RUNNING, OrderOutcome::STATE_DONE, OrderOutcome::STATE_REFUSED,
        OrderOutcome::STATE_FAILED, OrderOutcome::STATE_SUPERSEDED, OrderOutcome::STATE_EXPIRED,
        OrderOutcome::STATE_CANCELLED}) {
    outcome.set_state(state);
    EXPECT_TRUE(CheckOutcome(outcome).ok()) << state;
  }
  for (const OrderOutcome::State state :
       {OrderOutcome::STATE_UNSPECIFIED, OrderOutcome::STATE_PENDING, OrderOutcome::STATE_DELIVERED,
        static_cast<OrderOutcome::State>(99)}) {
    outcome.set_state(state);
    EXPECT_FALSE(CheckOutcome(outcome).ok()) << state;
  }
}

}  // namespace
}  // namespace cordon
