#include "platform/api/link_watcher.h"

#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "platform/linux/links/link_news.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {
namespace {

// Follows RTNLGRP_LINK. Which interface changed does not matter: who is told lists them anew. So neither does
// it when the kernel's queue overflows: that, too, is a change. Only a move into another namespace is
// remembered; one that is lost with the queue is not known.
class RtnetlinkWatcher final : public LinkWatcher {
 public:
  ~RtnetlinkWatcher() override { RtnetlinkWatcher::Stop(); }

  absl::Status Start(std::function<void()> changed) override {
    if (thread_.joinable()) return absl::FailedPreconditionError("the link watcher runs already");
    Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK;
    const std::lock_guard lock(mutex_);
    if (!socket.Valid() || bind(socket.Get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      return absl::ErrnoToStatus(errno, "cannot watch the network interfaces");
    }
    Fd stop(eventfd(0, EFD_CLOEXEC));
    if (!stop.Valid()) return absl::ErrnoToStatus(errno, "cannot watch the network interfaces");
    socket_ = std::move(socket);
    stop_ = std::move(stop);
    thread_ = std::thread([this, changed = std::move(changed)] { Watch(changed); });
    return absl::OkStatus();
  }

  void Stop() override {
    if (!thread_.joinable()) return;
    const uint64_t one = 1;
    while (write(stop_.Get(), &one, sizeof(one)) < 0 && errno == EINTR) {
    }
    thread_.join();
  }

  std::vector<std::string> MovedAway() override {
    const std::lock_guard lock(mutex_);
    if (socket_.Valid()) Drain();  // the kernel queues the news before the move returns
    return {moved_.begin(), moved_.end()};
  }

 private:
  void Watch(const std::function<void()>& changed) {
    while (true) {
      std::array<pollfd, 2> waits{pollfd{socket_.Get(), POLLIN, 0}, pollfd{stop_.Get(), POLLIN, 0}};
      if (poll(waits.data(), waits.size(), -1) < 0) continue;  // EINTR
      if (waits[1].revents != 0) return;
      {
        const std::lock_guard lock(mutex_);
        Drain();
      }
      changed();
    }
  }

  // A burst becomes one call. Under mutex_.
  void Drain() {
    alignas(nlmsghdr) std::array<char, 16 * 1024> buffer;
    while (true) {
      const ssize_t size = recv(socket_.Get(), buffer.data(), buffer.size(), 0);
      if (size < 0 && errno != ENOBUFS && errno != EINTR) return;
      for (size_t at = 0; size > 0 && at < static_cast<size_t>(size);) {
        const size_t left = static_cast<size_t>(size) - at;
        const auto* const message = reinterpret_cast<const nlmsghdr*>(buffer.data() + at);
        if (left < sizeof(nlmsghdr) || message->nlmsg_len < sizeof(nlmsghdr)) break;
        if (const auto news = ParseLinkNews(message, left); news.has_value()) Remember(*news);
        at += NLMSG_ALIGN(message->nlmsg_len);
      }
    }
  }

  void Remember(const LinkNews& news) {
    if (news.is_there) moved_.erase(news.name);
    if (news.took_a_way_out && moved_.size() < kMostMoved) moved_.insert(news.name);
  }

  static constexpr size_t kMostMoved = 64;

  Fd socket_;
  Fd stop_;
  std::mutex mutex_;
  std::set<std::string> moved_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace

std::unique_ptr<LinkWatcher> MakeLinkWatcher() {
  return std::make_unique<RtnetlinkWatcher>();
}

}  // namespace cordon::platform
