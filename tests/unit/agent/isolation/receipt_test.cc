#include "agent/isolation/receipt.h"

#include <gtest/gtest.h>

#include "tests/support/actions.h"

namespace cordon::agent {
namespace {

using platform::FilterReadback;

v1::IsolationState Essential() {
  v1::IsolationState state;
  *state.mutable_action() = testing::Isolate(v1::LEVEL_ESSENTIAL);
  state.set_level(v1::LEVEL_ESSENTIAL);
  state.set_order_id("an order");
  return state;
}

FilterReadback AsIntended() {
  return {.matches = true, .uplinks = {"eth0"}, .dropped_packets = 5};
}

TEST(Receipt, SaysContainedWhenTheKernelHoldsWhatWasOrdered) {
  const v1::Receipt receipt = MakeReceipt(Essential(), AsIntended(), {.dropped_before = 2});
  EXPECT_EQ(receipt.containment(), v1::CONTAINMENT_CONTAINED);
  EXPECT_EQ(receipt.enforced_level(), v1::LEVEL_ESSENTIAL);
  EXPECT_EQ(receipt.dropped_packets(), 7U);
  EXPECT_TRUE(receipt.reasons().empty());
}

// ISO-7: each of these alone takes the word away, and says why.
TEST(Receipt, ISO7_NeverSaysContainedWhenSomethingIsAmiss) {
  const auto judge = [](const v1::IsolationState& state, const absl::StatusOr<FilterReadback>& readback,
                        const ReceiptFacts& facts) {
    const v1::Receipt receipt = MakeReceipt(state, readback, facts);
    EXPECT_FALSE(receipt.reasons().empty());
    return receipt.containment();
  };
  EXPECT_EQ(judge(Essential(), absl::InternalError("no answer"), {}), v1::CONTAINMENT_UNCERTAIN);
  EXPECT_EQ(judge(Essential(), absl::UnimplementedError("no filter"), {}), v1::CONTAINMENT_OPEN);
  EXPECT_EQ(judge(Essential(), FilterReadback{.differences = {"a rule is missing"}}, {}),
            v1::CONTAINMENT_PARTIAL);
  EXPECT_EQ(judge(Essential(), FilterReadback{.differences = {"gone"}, .absent = true}, {}),
            v1::CONTAINMENT_OPEN);
  EXPECT_EQ(judge(Essential(), AsIntended(), {.holes = {"a packet left"}}), v1::CONTAINMENT_PARTIAL);
  EXPECT_EQ(judge(Essential(), AsIntended(), {.state_problem = "damaged"}), v1::CONTAINMENT_UNCERTAIN);
  EXPECT_EQ(judge(Essential(), AsIntended(), {.programs = {.differences = {"a foreign mark"}}}),
            v1::CONTAINMENT_PARTIAL);
  EXPECT_EQ(judge(Essential(), AsIntended(), {.programs = {.unreadable = "no answer"}}),
            v1::CONTAINMENT_UNCERTAIN);
  v1::IsolationState stepped_down = Essential();
  stepped_down.set_level(v1::LEVEL_NO_LATERAL);
  stepped_down.set_note("stepped down");
  EXPECT_EQ(judge(stepped_down, AsIntended(), {}), v1::CONTAINMENT_PARTIAL);
}

// More is closed than was ordered: contained, with a reason.
TEST(Receipt, TellsWhichProgramIsShutOut) {
  const v1::Receipt receipt =
      MakeReceipt(Essential(), AsIntended(), {.programs = {.unbound = {"no program is allowed as /x"}}});
  EXPECT_EQ(receipt.containment(), v1::CONTAINMENT_CONTAINED);
  ASSERT_EQ(receipt.reasons_size(), 1);
  EXPECT_EQ(receipt.reasons(0), "no program is allowed as /x");
}

// Bound less closely than it could be, and still shut: the word stays.
TEST(Receipt, TellsWhatTheFilterNotesOfItsRules) {
  FilterReadback readback = AsIntended();
  readback.notes = {"the service's own SID is missing"};
  const v1::Receipt receipt = MakeReceipt(Essential(), readback, {});
  EXPECT_EQ(receipt.containment(), v1::CONTAINMENT_CONTAINED);
  ASSERT_EQ(receipt.reasons_size(), 1);
  EXPECT_EQ(receipt.reasons(0), "the service's own SID is missing");
}

// A controller that is down is no hole: the word stays, and the reason is there to read.
TEST(Receipt, TellsWhatStayedSilentWithoutCallingItAHole) {
  const v1::Receipt receipt =
      MakeReceipt(Essential(), AsIntended(), {.doubts = {"the controller was not reached"}});
  EXPECT_EQ(receipt.containment(), v1::CONTAINMENT_CONTAINED);
  EXPECT_EQ(receipt.reasons(0), "the controller was not reached");
}

TEST(Receipt, SaysOpenWhenNothingIsOrdered) {
  v1::IsolationState state;
  state.set_level(v1::LEVEL_OBSERVE);
  const v1::Receipt receipt = MakeReceipt(state, FilterReadback{.matches = true, .absent = true}, {});
  EXPECT_EQ(receipt.containment(), v1::CONTAINMENT_OPEN);
  EXPECT_EQ(receipt.intended_level(), v1::LEVEL_OBSERVE);
  EXPECT_TRUE(receipt.reasons().empty());
}

}  // namespace
}  // namespace cordon::agent
