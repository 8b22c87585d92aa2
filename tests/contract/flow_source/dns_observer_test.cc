#include "platform/api/dns_observer.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "platform/linux/system/fd.h"
#include "tests/support/net_namespace.h"
#include "tests/support/socket_address.h"

namespace cordon::testing {
namespace {

using platform::Fd;

void SendFrom(const NetNamespace& from, const std::string& source, uint16_t source_port,
              const std::string& to, const std::string& text) {
  const InNetNamespace inside(from);
  const SocketAddress local = MakeSocketAddress(source, source_port);
  const SocketAddress remote = MakeSocketAddress(to, 40'000);
  const Fd fd(socket(local.Family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(fd.Get(), local.Get(), local.size), 0);
  ASSERT_EQ(sendto(fd.Get(), text.data(), text.size(), 0, remote.Get(), remote.size),
            static_cast<ssize_t>(text.size()));
}

TEST(DnsObserver, HearsAnswersThatArriveAndNothingElse) {
  const NetNamespace host("host");
  const NetNamespace peer("peer");
  ConnectByVeth({host, "up0", {"10.9.0.1/24", "fd09::1/64"}}, {peer, "eth0", {"10.9.0.2/24", "fd09::2/64"}});
  std::mutex mutex;
  std::vector<std::string> heard;
  std::unique_ptr<platform::DnsObserver> observer;
  {
    const InNetNamespace inside(host);
    observer = platform::MakeDnsObserver();
    const absl::Status started = observer->Start([&](std::string_view message) {
      const std::lock_guard lock(mutex);
      heard.emplace_back(message);
    });
    ASSERT_TRUE(started.ok()) << started;
  }
  ASSERT_NO_FATAL_FAILURE(SendFrom(peer, "10.9.0.2", 54, "10.9.0.1", "another port"));
  ASSERT_NO_FATAL_FAILURE(SendFrom(host, "10.9.0.1", 53, "10.9.0.2", "on its way out"));
  ASSERT_NO_FATAL_FAILURE(SendFrom(peer, "10.9.0.2", 53, "10.9.0.1", "over IPv4"));
  ASSERT_NO_FATAL_FAILURE(SendFrom(peer, "fd09::2", 53, "fd09::1", "over IPv6"));
  ASSERT_NO_FATAL_FAILURE(SendFrom(host, "127.0.0.1", 53, "127.0.0.1", "over loopback"));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  const auto complete = [&] {
    const std::lock_guard lock(mutex);
    return heard.size() >= 3;
  };
  while (!complete() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  observer->Stop();
  std::ranges::sort(heard);
  EXPECT_EQ(heard, (std::vector<std::string>{"over IPv4", "over IPv6", "over loopback"}));
}

}  // namespace
}  // namespace cordon::testing
