#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <thread>

#include "platform/api/system.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {
namespace {

// Blocks the stop signals in this and all later threads and waits for them on one.
class StopWatcher {
 public:
  explicit StopWatcher(std::function<void()> stop) : wake_(eventfd(0, EFD_CLOEXEC)) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    signals_ = Fd(signalfd(-1, &signals, SFD_CLOEXEC));
    thread_ = std::thread([this, on_stop = std::move(stop)] { Watch(on_stop); });
  }

  StopWatcher(const StopWatcher&) = delete;
  StopWatcher& operator=(const StopWatcher&) = delete;

  ~StopWatcher() {
    const uint64_t one = 1;
    static_cast<void>(!write(wake_.Get(), &one, sizeof(one)));
    thread_.join();
  }

 private:
  void Watch(const std::function<void()>& stop) {
    std::array<pollfd, 2> fds = {pollfd{signals_.Get(), POLLIN, 0}, pollfd{wake_.Get(), POLLIN, 0}};
    while (poll(fds.data(), fds.size(), -1) < 0) {
    }
    if ((fds[0].revents & POLLIN) == 0) return;
    signalfd_siginfo taken;  // or it would stay pending, for whoever watches next
    static_cast<void>(!read(signals_.Get(), &taken, sizeof(taken)));
    stop();
  }

  Fd wake_;
  Fd signals_;
  std::thread thread_;
};

}  // namespace

void NotifyServiceReady() {
  sd_notify(0, "READY=1");
}
void NotifyServiceStopping() {
  sd_notify(0, "STOPPING=1");
}
void NotifyServiceStatus(const std::string& line) {
  sd_notify(0, ("STATUS=" + line).c_str());
}

std::unique_ptr<void, void (*)(void*)> OnStopRequest(std::function<void()> stop) {
  return {new StopWatcher(std::move(stop)), [](void* watcher) { delete static_cast<StopWatcher*>(watcher); }};
}

}  // namespace cordon::platform
