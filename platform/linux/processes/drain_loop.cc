#include "platform/linux/processes/drain_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <utility>

#include "common/base/status.h"

namespace cordon::platform {
namespace {

constexpr std::chrono::seconds kFlushTimeout{1};

}  // namespace

absl::Status DrainLoop::Start(Work work) {
  work_ = std::move(work);
  wake_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_.Valid()) return absl::ErrnoToStatus(errno, "process source: cannot make an eventfd");
  CORDON_RETURN_IF_ERROR(Watch());
  {
    const std::lock_guard lock(mutex_);
    running_ = true;
  }
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
  return absl::OkStatus();
}

// Edge-triggered: in a storm there is always something to read, and a loop that looks whether there is would
// never sleep; it would take two or three records at a time and cost the storm a tenth of a core. This way it
// sleeps until the writer says "now", or the interval has passed.
absl::Status DrainLoop::Watch() {
  epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  for (const int fd : {work_.fd, wake_.Get()}) {
    if (fd < 0) continue;  // nothing but the interval
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.fd = fd}};
    if (!epoll_.Valid() || epoll_ctl(epoll_.Get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      return absl::ErrnoToStatus(errno, "process source: cannot wait for the kernel's records");
    }
  }
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

void DrainLoop::TakeWake() const {
  uint64_t wakes = 0;
  [[maybe_unused]] const ssize_t got = read(wake_.Get(), &wakes, sizeof(wakes));
}

void DrainLoop::Run(const std::stop_token& stop) {
  work_.begin();
  while (!stop.stop_requested()) {
    std::array<epoll_event, 2> events;
    const int ready = epoll_wait(epoll_.Get(), events.data(), static_cast<int>(events.size()),
                                 static_cast<int>(work_.interval.count()));
    for (const epoll_event& event : std::span(events).first(static_cast<size_t>(std::max(ready, 0)))) {
      if (event.data.fd == wake_.Get()) TakeWake();
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
