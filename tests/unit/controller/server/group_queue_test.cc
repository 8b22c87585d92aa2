#include "controller/server/group_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <vector>

namespace cordon::controller {
namespace {

using ::testing::ElementsAre;

TEST(GroupQueue, GathersWhatComesWhileItIsBusy) {
  std::promise<void> busy;
  std::promise<void> go_on;
  std::vector<std::vector<int>> groups;
  GroupQueue<int> queue(10, [&](std::vector<int> group) {
    groups.push_back(group);
    if (groups.size() > 1) return;
    busy.set_value();
    go_on.get_future().wait();
  });
  queue.Add(1);
  busy.get_future().wait();
  queue.Add(2);
  queue.Add(3);
  go_on.set_value();
  queue.Stop();
  EXPECT_THAT(groups, ElementsAre(ElementsAre(1), ElementsAre(2, 3)));
}

TEST(GroupQueue, KeepsAGroupWithinItsSize) {
  std::promise<void> go_on;
  std::shared_future<void> may_go(go_on.get_future());
  std::vector<size_t> sizes;
  GroupQueue<int> queue(4, [&](const std::vector<int>& group) {
    may_go.wait();
    sizes.push_back(group.size());
  });
  for (int i = 0; i < 20; ++i) queue.Add(i);
  go_on.set_value();
  queue.Stop();
  size_t total = 0;
  for (const size_t size : sizes) {
    EXPECT_LE(size, 4U);
    total += size;
  }
  EXPECT_EQ(total, 20U);
}

TEST(GroupQueue, StopFlushesWhatWasAdded) {
  std::vector<int> flushed;
  GroupQueue<int> queue(1, [&](const std::vector<int>& group) { flushed.push_back(group[0]); });
  for (int i = 0; i < 5; ++i) queue.Add(i);
  queue.Stop();
  EXPECT_THAT(flushed, ElementsAre(0, 1, 2, 3, 4));
}

}  // namespace
}  // namespace cordon::controller
