#include "controller/cordonctl/follow_events.h"

#include <gtest/gtest.h>

namespace cordon::ctl {
namespace {

v1::QueryEventsResponse Stands(uint64_t batch) {
  v1::QueryEventsResponse message;
  message.mutable_place()->set_batch(batch);
  return message;
}

v1::QueryEventsResponse At(uint64_t batch, uint32_t index) {
  v1::QueryEventsResponse message = Stands(batch);
  message.mutable_place()->set_index(index);
  message.mutable_event();
  return message;
}

v1::QueryEventsRequest NextOf(const Followed& followed) {
  v1::QueryEventsRequest request;
  followed.GoOn(&request);
  return request;
}

TEST(Followed, AsksForPlacesAndNothingElseAtFirst) {
  const v1::QueryEventsRequest first = NextOf(Followed());
  EXPECT_TRUE(first.places());
  EXPECT_FALSE(first.has_after());
  EXPECT_EQ(first.history_position(), 0U);
}

TEST(Followed, AHistoryThatBrokeIsAskedForOnceMoreAndToldFromWhereItWas) {
  Followed followed;
  EXPECT_FALSE(followed.CanGoOn());
  EXPECT_FALSE(followed.IsNew(Stands(7)));
  EXPECT_TRUE(followed.CanGoOn());
  // By time: batches are mixed.
  EXPECT_TRUE(followed.IsNew(At(3, 0)));
  EXPECT_TRUE(followed.IsNew(At(7, 1)));
  EXPECT_EQ(NextOf(followed).history_position(), 7U);
  EXPECT_FALSE(NextOf(followed).has_after()) << "most of the history is still to come";

  EXPECT_FALSE(followed.IsNew(Stands(7)));
  EXPECT_FALSE(followed.IsNew(At(3, 0)));
  EXPECT_TRUE(followed.IsNew(At(7, 0)));
  EXPECT_FALSE(followed.IsNew(At(7, 1)));
  EXPECT_TRUE(followed.IsNew(At(3, 1)));
}

TEST(Followed, GoesOnAfterTheLastEventOnceTheHistoryIsOver) {
  Followed followed;
  followed.IsNew(Stands(7));
  followed.IsNew(At(7, 0));
  EXPECT_FALSE(followed.PastHistory());
  EXPECT_TRUE(followed.IsNew(At(9, 0)));
  EXPECT_TRUE(followed.IsNew(At(9, 1)));
  EXPECT_TRUE(followed.PastHistory());
  const v1::QueryEventsRequest next = NextOf(followed);
  EXPECT_EQ(next.after().batch(), 9U);
  EXPECT_EQ(next.after().index(), 1U);
  EXPECT_EQ(next.history_position(), 0U);
  EXPECT_FALSE(followed.IsNew(Stands(9)));
  EXPECT_TRUE(followed.IsNew(At(9, 2)));
}

TEST(Followed, AnOlderControllersEventsAreShownAndCannotBeGoneOnWith) {
  Followed followed;
  v1::QueryEventsResponse event;
  event.mutable_event();
  EXPECT_TRUE(followed.IsNew(event));
  EXPECT_TRUE(followed.IsNew(event));
  EXPECT_FALSE(followed.CanGoOn());
}

TEST(Followed, AUT6_AnIndexThatNoBatchHasTakesNoMemory) {
  Followed followed;
  followed.IsNew(Stands(7));
  EXPECT_TRUE(followed.IsNew(At(3, UINT32_MAX)));
  EXPECT_TRUE(followed.IsNew(At(3, UINT32_MAX)));
}

}  // namespace
}  // namespace cordon::ctl
