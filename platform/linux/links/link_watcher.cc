#include "platform/api/link_watcher.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "platform/linux/links/link_news.h"
#include "platform/linux/system/netlink_news.h"

namespace cordon::platform {
namespace {

// Follows RTNLGRP_LINK. Which interface changed does not matter: who is told lists them anew. So neither does
// it when the kernel's queue overflows: that, too, is a change. Only a move into another namespace is
// remembered; one that is lost with the queue is not known.
class RtnetlinkWatcher final : public LinkWatcher {
 public:
  ~RtnetlinkWatcher() override { RtnetlinkWatcher::Stop(); }

  absl::Status Start(std::function<void()> changed) override {
    const std::lock_guard lock(mutex_);
    return news_.Start({.bus = NETLINK_ROUTE, .number = RTNLGRP_LINK, .what = "watch the network interfaces"},
                       [this, changed = std::move(changed)] {
                         {
                           const std::lock_guard held(mutex_);
                           Drain();
                         }
                         changed();
                       });
  }

  void Stop() override { news_.Stop(); }

  std::vector<std::string> MovedAway() override {
    const std::lock_guard lock(mutex_);
    if (news_.Socket().Valid()) Drain();  // the kernel queues the news before the move returns
    return {moved_.begin(), moved_.end()};
  }

 private:
  // A burst becomes one call. Under mutex_.
  void Drain() {
    alignas(nlmsghdr) std::array<char, 16 * 1024> buffer;
    while (true) {
      const ssize_t size = recv(news_.Socket().Get(), buffer.data(), buffer.size(), 0);
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

  std::mutex mutex_;
  std::set<std::string> moved_;  // guarded by mutex_
  NetlinkNews news_;             // last: its thread uses all of the above
};

}  // namespace

std::unique_ptr<LinkWatcher> MakeLinkWatcher() {
  return std::make_unique<RtnetlinkWatcher>();
}

}  // namespace cordon::platform
