// What hosts and strangers may use of a controller.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/strings.h"
#include "controller/server/budgets.h"
#include "controller/server/doorkeeper.h"
#include "controller/server/token_bucket.h"
#include "controller/server/workers.h"
#include "platform/api/system.h"

namespace cordon::controller {
namespace {

using boost::asio::ip::make_address;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kSecond = kNanosPerSecond;

TEST(TokenBucket, GivesTheBurstAndThenTheRate) {
  TokenBucket bucket({.per_second = 2, .burst = 3}, 0);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.Take(1, 0));
  EXPECT_FALSE(bucket.Take(1, 0));
  EXPECT_FALSE(bucket.Take(1, kSecond / 4));
  EXPECT_TRUE(bucket.Take(1, kSecond / 2));
  EXPECT_FALSE(bucket.Full(kSecond));
  EXPECT_TRUE(bucket.Full(100 * kSecond));
}

TEST(TokenBucket, SaysHowLongADebtLasts) {
  TokenBucket bucket({.per_second = 10, .burst = 20}, 0);
  EXPECT_EQ(bucket.Spend(20, 0), 0);
  EXPECT_EQ(bucket.Spend(5, 0), kSecond / 2);
  EXPECT_EQ(bucket.Spend(0, kSecond / 2), 0);
  EXPECT_EQ(bucket.Spend(0, 0), 0);  // time does not go back
}

struct BudgetsTest : public ::testing::Test {
  HostLimits limits{.bytes = {100, 1'000}, .events = {10, 100}, .messages = {1, 10}, .streams = 2};
  std::vector<std::string> named;
  Budgets budgets{limits, [this](const std::string& host, const std::string& what) {
                    named.push_back(StrCat(host, ": ", what));
                  }};
};

TEST_F(BudgetsTest, HoldsBackWhoIsBeyondAnyOfThemAndNamesItOnceAnHour) {
  EXPECT_EQ(budgets.Spend("a", 1'000, 1, 0), 0);
  EXPECT_EQ(budgets.Spend("a", 100, 1, 0), kSecond);
  EXPECT_EQ(budgets.Spend("b", 100, 1, 0), 0) << "another's budget";
  EXPECT_GT(budgets.Spend("a", 100, 1, 0), kSecond);
  ASSERT_EQ(named.size(), 1U);
  EXPECT_THAT(named[0], HasSubstr("a: it sends more bytes than a host may, and is held back by 1s"));
  budgets.Spend("a", 100'000, 1, 3'601 * kSecond);
  EXPECT_EQ(named.size(), 2U);
  EXPECT_GT(budgets.Spend("c", 0, 105, 0), 0);
  EXPECT_THAT(named.back(), HasSubstr("more events"));
}

TEST_F(BudgetsTest, NeverHoldsBackForSoLongThatAHostSeemsToBeGone) {
  EXPECT_EQ(budgets.Spend("a", 1'000'000'000, 1, 0), 5 * kSecond);
}

TEST_F(BudgetsTest, CountsStreams) {
  EXPECT_TRUE(budgets.OpenStream("a", 0));
  EXPECT_TRUE(budgets.OpenStream("a", 0));
  EXPECT_FALSE(budgets.OpenStream("a", 0));
  EXPECT_TRUE(budgets.OpenStream("b", 0));
  budgets.CloseStream("a");  // the refused one
  EXPECT_FALSE(budgets.OpenStream("a", 0));
  budgets.CloseStream("a");
  budgets.CloseStream("a");
  EXPECT_TRUE(budgets.OpenStream("a", 0));
  EXPECT_THAT(named, ElementsAre(HasSubstr("more than 2 streams")));
}

TEST_F(BudgetsTest, AUT6_RefusesWhoConnectsRenewsOrBeginsAnewTooOftenAndForAMomentOnly) {
  limits.openings = {.per_second = 1, .burst = 3};
  limits.renewals = {.per_second = 1, .burst = 2};
  limits.chains = {.per_second = 1, .burst = 1};
  Budgets tight(limits, [this](const std::string&, const std::string& what) { named.push_back(what); });
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(tight.MayOpen("a", 0).ok());
  EXPECT_EQ(tight.MayOpen("a", 0).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(tight.MayOpen("b", 0).ok()) << "another's budget";
  EXPECT_TRUE(tight.MayOpen("a", kSecond).ok());
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(tight.MayRenew("a", 0).ok());
  EXPECT_FALSE(tight.MayRenew("a", 0).ok());
  EXPECT_TRUE(tight.MayBeginChain("a", 0).ok());
  EXPECT_FALSE(tight.MayBeginChain("a", 0).ok());
  EXPECT_THAT(named, ElementsAre(HasSubstr("it connects more often")));  // once an hour
}

TEST_F(BudgetsTest, AHostThatCrashesAllTheTimeIsLetIn) {
  int64_t now = 0;
  for (int crash = 0; crash < 1'000; ++crash, now += 2 * kSecond) {
    EXPECT_TRUE(budgets.MayOpen("a", now).ok());
    EXPECT_TRUE(budgets.MayOpen("a", now).ok());
  }
}

TEST_F(BudgetsTest, ASecondSessionIsNotedOnceAnHourAndTheRestCounted) {
  EXPECT_EQ(budgets.MayNoteSession("a", false, 0), 0U);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(budgets.MayNoteSession("a", false, kSecond), std::nullopt);
  EXPECT_EQ(budgets.MayNoteSession("a", true, kSecond), 0U) << "another kind";
  EXPECT_EQ(budgets.MayNoteSession("b", false, kSecond), 0U);
  budgets.Tidy(1'800 * kSecond);
  EXPECT_EQ(budgets.MayNoteSession("a", false, 3'601 * kSecond), 5U);
}

TEST_F(BudgetsTest, ForgetsWhoIsGoneAndOwesNothing) {
  budgets.Spend("a", 10, 1, 0);
  budgets.OpenStream("b", 0);
  budgets.Spend("c", 100'000, 1, 0);
  budgets.Tidy(60 * kSecond);
  EXPECT_EQ(budgets.Hosts(), 2U);
  budgets.CloseStream("b");
  budgets.Tidy(7'200 * kSecond);
  EXPECT_EQ(budgets.Hosts(), 0U);
}

TEST(SourceLimit, CountsWhatOneAttackerHasManyOfAsOne) {
  SourceLimit limit({.per_second = 1, .burst = 2});
  EXPECT_TRUE(limit.Admit(make_address("192.0.2.1"), 0));
  EXPECT_TRUE(limit.Admit(make_address("::ffff:192.0.2.1"), 0));
  EXPECT_FALSE(limit.Admit(make_address("192.0.2.1"), 0));
  EXPECT_TRUE(limit.Admit(make_address("192.0.2.2"), 0));
  EXPECT_TRUE(limit.Admit(make_address("2001:db8::1"), 0));
  EXPECT_TRUE(limit.Admit(make_address("2001:db8::2"), 0));
  EXPECT_FALSE(limit.Admit(make_address("2001:db8::3"), 0));
  EXPECT_TRUE(limit.Admit(make_address("2001:db8:0:1::1"), 0));
  EXPECT_TRUE(limit.Admit(make_address("192.0.2.1"), kSecond));
}

TEST(Workers, AUT6_OneCallerHasNoMoreCallsUnderWayThanItMay) {
  Workers workers(1, 2);
  std::promise<void> go_on;
  std::atomic<int> done = 0;
  EXPECT_TRUE(workers.PostCall("a", [&, wait = go_on.get_future().share()] {
    wait.wait();
    ++done;
  }));
  EXPECT_TRUE(workers.PostCall("a", [&] { ++done; }));
  EXPECT_FALSE(workers.PostCall("a", [&] { ++done; }));
  EXPECT_TRUE(workers.PostCall("b", [&] { ++done; }));
  go_on.set_value();
  for (int i = 0; i < 500 && done < 3; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  bool again = false;
  for (int i = 0; i < 500 && !again; ++i) {  // the last one is counted out behind its end
    again = workers.PostCall("a", [&] { ++done; });
    if (!again) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(again);
  workers.Stop();
  EXPECT_EQ(done, 4);
}

TEST(Readers, AUT6_OneCallerHasNoMoreOfThemThanItsShare) {
  Readers readers(3, 2);
  std::promise<void> go_on;
  const std::shared_future<void> wait = go_on.get_future().share();
  const auto read = [wait] { wait.wait(); };
  EXPECT_TRUE(readers.Post("a", read));
  EXPECT_TRUE(readers.Post("a", read));
  EXPECT_FALSE(readers.Post("a", read));
  EXPECT_TRUE(readers.Post("b", read));
  EXPECT_FALSE(readers.Post("b", read)) << "all are taken";
  go_on.set_value();
  readers.Stop();
}

TEST(DoorLimits, AUT6_OneSourceTakesNoMoreThanAQuarterOfTheFilesAtOnce) {
  const DoorLimits usual;
  const DoorLimits few = WithFiles(usual, 4'096);
  EXPECT_EQ(few.files, 4'096U);
  EXPECT_EQ(few.per_source.burst, 1'024.0);
  EXPECT_EQ(few.per_source.per_second, usual.per_source.per_second);
  EXPECT_EQ(WithFiles(usual, 1'048'576).per_source.burst, usual.per_source.burst);
}

TEST(SourceLimit, IsBounded) {
  SourceLimit limit({.per_second = 1, .burst = 2});
  for (uint32_t i = 0; i < SourceLimit::kMaxSources + 1'000; ++i) {
    limit.Admit(boost::asio::ip::address_v4(0x0a000000U + i), 0);
  }
  EXPECT_LE(limit.Sources(), SourceLimit::kMaxSources + 1);
  limit.Admit(make_address("192.0.2.1"), 10 * kSecond);  // those that have been quiet are forgotten
  EXPECT_LE(limit.Sources(), 2U);
}

// This process's descriptors run out, so that accept itself fails: gRPC's own listener would be closed for
// good.
TEST(Doorkeeper, AUT6_AcceptsAgainWhenThereAreDescriptors) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const auto clock = platform::MakeSystemClock();
  auto door = Doorkeeper::Open("127.0.0.1:0", {.files = before.rlim_cur, .spare_files = 0}, *clock);
  ASSERT_TRUE(door.ok()) << door.status();
  std::atomic<int> welcomed = 0;
  (*door)->Start([&](int fd) {
    close(fd);
    ++welcomed;
  });
  const auto welcomed_in_time = [&](int wanted) {
    for (int i = 0; i < 500 && welcomed < wanted; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return welcomed >= wanted;
  };
  boost::asio::io_context loop;
  const boost::asio::ip::tcp::endpoint at(make_address("127.0.0.1"), static_cast<uint16_t>((*door)->Port()));
  boost::asio::ip::tcp::socket first(loop);
  first.connect(at);
  ASSERT_TRUE(welcomed_in_time(1));

  // A client's descriptor is the last one that there is.
  boost::asio::ip::tcp::socket second(loop);
  second.open(boost::asio::ip::tcp::v4());
  const rlimit none{static_cast<rlim_t>(second.native_handle()) + 1, before.rlim_max};
  std::vector<int> taken;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  for (int fd = dup(0); fd >= 0; fd = dup(0)) taken.push_back(fd);
  second.connect(at);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(welcomed, 1);
  for (const int fd : taken) close(fd);
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(welcomed_in_time(2)) << "the one that waited";
}

TEST(Doorkeeper, RefusesWhoseDescriptorWouldBeOneThatIsKeptBack) {
  const auto clock = platform::MakeSystemClock();
  auto door = Doorkeeper::Open("127.0.0.1:0", {.files = 100, .spare_files = 95}, *clock);
  ASSERT_TRUE(door.ok()) << door.status();
  std::atomic<int> welcomed = 0;
  (*door)->Start([&](int fd) {
    close(fd);
    ++welcomed;
  });
  boost::asio::io_context loop;
  boost::asio::ip::tcp::socket client(loop);
  client.connect({make_address("127.0.0.1"), static_cast<uint16_t>((*door)->Port())});
  char byte = 0;
  boost::system::error_code error;
  client.read_some(boost::asio::buffer(&byte, 1), error);
  EXPECT_TRUE(error) << "it was closed";
  EXPECT_EQ(welcomed, 0);
}

TEST(Doorkeeper, SaysWhatIsWrongWithAnAddress) {
  const auto clock = platform::MakeSystemClock();
  EXPECT_THAT(Doorkeeper::Open("localhost:0", {}, *clock).status().message(), HasSubstr("not a name"));
  const auto door = Doorkeeper::Open("127.0.0.1:0", {}, *clock);
  ASSERT_TRUE(door.ok());
  EXPECT_THAT(Doorkeeper::Open(StrCat("127.0.0.1:", (*door)->Port()), {}, *clock).status().message(),
              HasSubstr("and the port free?"));
}

}  // namespace
}  // namespace cordon::controller
