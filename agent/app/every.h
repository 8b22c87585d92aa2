#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>

namespace cordon::agent {

// Does something again and again on a loop, first after one interval, until Stop or the end of its life.
class Every {
 public:
  Every(boost::asio::io_context& loop, std::chrono::nanoseconds interval, std::function<void()> what)
      : timer_(std::make_shared<Timer>(Timer{boost::asio::steady_timer(loop), interval, std::move(what)})) {
    Schedule(timer_);
  }
  Every(const Every&) = delete;
  Every& operator=(const Every&) = delete;

  void Stop() { timer_.reset(); }

 private:
  struct Timer {
    boost::asio::steady_timer timer;
    const std::chrono::nanoseconds interval;
    const std::function<void()> what;
  };

  // A handler that stands in the loop's queue already is called without an error, also when this has ended
  // meanwhile.
  static void Schedule(const std::shared_ptr<Timer>& timer) {
    timer->timer.expires_after(timer->interval);
    timer->timer.async_wait([weak = std::weak_ptr(timer)](const boost::system::error_code& error) {
      const std::shared_ptr<Timer> own = weak.lock();
      if (error || own == nullptr) return;
      own->what();
      Schedule(own);
    });
  }

  std::shared_ptr<Timer> timer_;
};

}  // namespace cordon::agent
