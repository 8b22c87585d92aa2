#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "agent/isolation/probe_board.h"
#include "agent/isolation/probes.h"
#include "agent/isolation/receipt.h"
#include "common/base/clock.h"
#include "platform/api/bypass_scanner.h"
#include "platform/api/packet_filter.h"

namespace cordon::agent {

// All that is known of what is enforced beside the rules themselves (ISO-7): live probes, ways past the
// rules, interfaces that were taken away. On the agent loop.
class LiveProof {
 public:
  struct Parts {  // each may be null: then it shows nothing
    EscapeProbe* escape = nullptr;
    InboundProbe* inbound = nullptr;
    platform::BypassScanner* bypasses = nullptr;
    const Clock* clock = nullptr;
  };
  explicit LiveProof(const Parts& parts) : parts_(parts), board_(parts.escape) {}

  // The state changed: what was shown of the last one counts for nothing.
  void Forget();

  // What can be shown without waiting.
  void TryNow(const platform::FilterPolicy& policy, const std::vector<std::string>& uplinks);
  void SetChannel(const platform::FilterPolicy& policy, const absl::Status& proof);
  // True when it is other news than the last.
  bool SetGuard(const absl::Status& answer) { return board_.SetGuard(answer); }
  void SetMovedAway(std::vector<std::string> interfaces) { moved_away_ = std::move(interfaces); }

  // Inbound packets: when they are due, every hour and after every change, asks for one of each kind.
  // `changed` when there is something new to tell. `policy` is asked for when it is needed.
  void Tick(const std::function<platform::FilterPolicy()>& policy, const std::function<void()>& changed);

  // `profile`: what the policy's rules are of, for their names.
  void AddTo(const v1::Profile& profile, ReceiptFacts* facts) const;
  bool ShowsHoles() const { return !board_.Leaks().empty(); }
  bool StopsAllowed() const { return board_.StopsAllowed(); }
  bool ChannelInDoubt() const { return !board_.Doubts().empty(); }

 private:
  void AskInbound(size_t kind, const std::function<platform::FilterPolicy()>& policy,
                  const std::function<void()>& changed);

  Parts parts_;
  ProbeBoard board_;
  std::vector<std::string> bypasses_;
  std::vector<std::string> moved_away_;
  int64_t next_inbound_boot_nanos_ = 0;
  bool asking_ = false;
  bool heard_ = false;  // something came of the present attempts
  uint64_t state_ = 0;  // rises with Forget: an answer about an earlier state counts for nothing
};

}  // namespace cordon::agent
