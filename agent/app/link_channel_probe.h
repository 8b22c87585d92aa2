#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "agent/isolation/probes.h"
#include "agent/link/link.h"

namespace cordon::agent {

// Proves the agent's channel by a heartbeat over the link (ISO-4): on the connection that stands, and when
// that gives no answer, on a new one, because rules that cut an old connection may well let a new one
// through. On the agent loop.
class LinkChannelProbe final : public ChannelProbe {
 public:
  // Once, when the link has started; it must outlive the last Prove. Proofs that were asked for before begin
  // now: that there was no link yet says nothing of the controller (ISO-4).
  void Use(Link* link);

  // The agent ends: no proof is answered any more, for a link that is stopping reaches nobody whatever the
  // level. What is not decided then is decided after the next start.
  void Stop() { stopped_ = true; }

  void Prove(std::function<void(absl::Status)> done) override;

 private:
  Link* link_ = nullptr;
  bool stopped_ = false;
  std::vector<std::function<void(absl::Status)>> waiting_;  // for the link; few, one for each change of level
};

}  // namespace cordon::agent
