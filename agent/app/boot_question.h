#pragma once

#include "agent/isolation/boot_hold.h"
#include "agent/isolation/isolation.h"
#include "agent/link/link.h"

namespace cordon::agent {

// Asks a controller, once per start, whether there are orders that this host missed, and ends the hold since
// boot (boot_hold.h) when they have been carried out or when nobody answered in time. A controller sends what
// a host missed before it answers that host's first heartbeat, on the same stream: the answer is the sign. On
// the agent loop.
class BootQuestion {
 public:
  // `length_nanos`: of the next boot's hold. All must outlive it.
  BootQuestion(BootHold& hold, Isolation& isolation, Link& link, int64_t length_nanos)
      : hold_(hold), isolation_(isolation), link_(link), length_nanos_(length_nanos) {}

  // After Link::Start.
  void Ask();

 private:
  void AskWhileHeld();

  BootHold& hold_;
  Isolation& isolation_;
  Link& link_;
  const int64_t length_nanos_;
};

}  // namespace cordon::agent
