// The contract of platform/api/link_watcher.h on the native implementation, as far as it goes without
// changing this machine's interfaces; tests/integration/isolation changes those of namespaces.

#include "platform/api/link_watcher.h"

#include <gtest/gtest.h>

#include <atomic>

namespace cordon::platform {
namespace {

TEST(Links, WatchingStartsStopsAndTellsNothingAfterwards) {
  std::atomic<int> calls = 0;
  const auto watcher = MakeLinkWatcher();
  const absl::Status started = watcher->Start([&] { ++calls; });
  ASSERT_TRUE(started.ok()) << started;
  EXPECT_TRUE(watcher->MovedAway().empty());
  watcher->Stop();
  const int before = calls;
  watcher->Stop();  // again, as the destructor does
  EXPECT_EQ(calls, before);
}

}  // namespace
}  // namespace cordon::platform
