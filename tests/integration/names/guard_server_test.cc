// The guard's sockets when the agent itself is short of something.

#include "agent/names/guard_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <vector>

namespace cordon::agent {
namespace {

using boost::asio::ip::tcp;

// This process has no descriptor left, until Free.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &few);
    for (int fd = open("/dev/null", O_RDONLY | O_CLOEXEC); fd >= 0;
         fd = open("/dev/null", O_RDONLY | O_CLOEXEC))
      taken_.push_back(fd);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { Free(); }
  void Free() {
    setrlimit(RLIMIT_NOFILE, &before_);
    for (const int fd : taken_) close(fd);
    taken_.clear();
  }

 private:
  rlimit before_{};
  std::vector<int> taken_;
};

TEST(GuardServerTest, WithoutDescriptorsItWaitsInsteadOfTryingWithoutEnd) {
  boost::asio::io_context loop;
  int asked = 0;
  GuardServer server(loop, [&](const std::string&, bool, const GuardServer::Reply&) {
    ++asked;
    loop.stop();
  });
  const absl::StatusOr<uint16_t> port = server.Open(0);
  ASSERT_TRUE(port.ok()) << port.status();
  tcp::socket client(loop);
  client.open(tcp::v4());
  NoDescriptors none;
  client.connect({boost::asio::ip::address_v4::loopback(), *port});
  boost::asio::write(client, boost::asio::buffer("\0\4ping", 6));
  EXPECT_LT(loop.run_for(std::chrono::milliseconds(500)), 100U) << "handlers that ran; some ten are due";
  EXPECT_EQ(asked, 0) << "nothing can be accepted";
  none.Free();
  loop.restart();
  loop.run_for(std::chrono::seconds(10));
  EXPECT_EQ(asked, 1) << "who waited is served";
}

}  // namespace
}  // namespace cordon::agent
