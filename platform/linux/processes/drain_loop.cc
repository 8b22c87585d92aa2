#include "platform/linux/processes/drain_loop.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace cordon::platform {
namespace {

constexpr std::chrono::seconds kFlushTimeout{1};

}  // namespace

absl::Status DrainLoop::Start(Work work) {
  work_ = std::move(work);
  wake_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_.Valid()) return absl::ErrnoToStatus(errno, "process source: cannot make an eventfd");
  {
    const std::lock_guard lock(mutex_);
    running_ = true;
  }
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
  return absl::OkStatus();
}

void DrainLoop::Stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  Wake();
  thread_.join();
}

void DrainLoop::Flush() {
  std::unique_lock lock(mutex_);
  if (!running_) return;
  const uint64_t mine = ++wanted_;
  Wake();
  flushed_.wait_for(lock, kFlushTimeout, [&] { return !running_ || done_ >= mine; });
}

void DrainLoop::Wake() const {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_.Get(), &one, sizeof(one));  // full = already awake
}

void DrainLoop::Run(const std::stop_token& stop) {
  work_.begin();
  while (!stop.stop_requested()) {
    std::array<pollfd, 2> waits{{{work_.fd, POLLIN, 0}, {wake_.Get(), POLLIN, 0}}};
    poll(waits.data(), waits.size(), static_cast<int>(work_.interval.count()));
    uint64_t wakes = 0;
    if ((waits[1].revents & POLLIN) != 0) {
      [[maybe_unused]] const ssize_t got = read(wake_.Get(), &wakes, sizeof(wakes));
    }
    DrainOnce();
  }
  work_.end();
  work_.drain();
  const std::lock_guard lock(mutex_);
  running_ = false;
  flushed_.notify_all();
}

void DrainLoop::DrainOnce() {
  uint64_t wanted = 0;
  {
    const std::lock_guard lock(mutex_);
    wanted = wanted_;
  }
  work_.drain();
  const std::lock_guard lock(mutex_);
  done_ = wanted;
  flushed_.notify_all();
}

}  // namespace cordon::platform
