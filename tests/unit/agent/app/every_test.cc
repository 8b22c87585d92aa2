#include "agent/app/every.h"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <optional>
#include <thread>

namespace cordon::agent {
namespace {

using namespace std::chrono_literals;

TEST(EveryTest, DoesItAgainAndAgainUntilItIsStopped) {
  boost::asio::io_context loop;
  int times = 0;
  std::optional<Every> every;
  every.emplace(loop, 1ms, [&] {
    if (++times == 3) every->Stop();
  });
  loop.run();
  EXPECT_EQ(times, 3);
}

// Its time is over and its handler stands in the queue, behind the one that ends its life.
TEST(EveryTest, NothingIsDoneAfterItsEnd) {
  boost::asio::io_context loop;
  int times = 0;
  auto every = std::make_unique<Every>(loop, 1ms, [&] { ++times; });
  boost::asio::post(loop, [&] {
    std::this_thread::sleep_for(5ms);
    boost::asio::post(loop, [&] { every.reset(); });
  });
  loop.run();
  EXPECT_EQ(times, 0);
}

}  // namespace
}  // namespace cordon::agent
