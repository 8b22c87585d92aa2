#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <utility>

namespace cordon::agent {

// Does something again and again on a loop, first after one interval, until Stop or the end of its life.
class Every {
 public:
  Every(boost::asio::io_context& loop, std::chrono::nanoseconds interval, std::function<void()> what)
      : timer_(loop), interval_(interval), what_(std::move(what)) {
    Schedule();
  }
  Every(const Every&) = delete;
  Every& operator=(const Every&) = delete;

  void Stop() { timer_.cancel(); }

 private:
  void Schedule() {
    timer_.expires_after(interval_);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      what_();
      Schedule();
    });
  }

  boost::asio::steady_timer timer_;
  const std::chrono::nanoseconds interval_;
  const std::function<void()> what_;
};

}  // namespace cordon::agent
