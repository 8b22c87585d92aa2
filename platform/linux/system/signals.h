#pragma once

#include <signal.h>

namespace cordon::platform {

// While a BPF program is loaded: the kernel gives up checking it (EAGAIN) when a signal waits for the loading
// thread, such as a SIGCHLD that another thread, in the middle of posix_spawn, does not take.
class SignalsHeldBack {
 public:
  SignalsHeldBack() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  SignalsHeldBack(const SignalsHeldBack&) = delete;
  SignalsHeldBack& operator=(const SignalsHeldBack&) = delete;
  ~SignalsHeldBack() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace cordon::platform
