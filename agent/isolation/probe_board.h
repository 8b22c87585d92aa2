#pragma once

#include <absl/status/status.h>

#include <optional>
#include <string>
#include <vector>

#include "agent/isolation/allowed_probes.h"
#include "agent/isolation/probes.h"
#include "cordon/v1/isolation.pb.h"
#include "platform/api/packet_filter.h"

namespace cordon::agent {

struct PlannedProbe {
  std::string name;  // "udp4 out", "frame out eth0"
  ProbePacket packet;
};

// The packets that `policy` forbids and that a host may try without harm: to addresses that nobody has, over
// IPv4 and IPv6, UDP, TCP and DNS, and as frames out of at most kMostFrameProbes of `uplinks`. None that the
// policy allows. Pure.
inline constexpr size_t kMostFrameProbes = 8;
std::vector<PlannedProbe> PlanProbes(const platform::FilterPolicy& policy,
                                     const std::vector<std::string>& uplinks);

// What the live probes of the present state have shown (ISO-7). On the agent loop.
class ProbeBoard {
 public:
  explicit ProbeBoard(EscapeProbe* escape) : escape_(escape) {}

  // The state changed: what was shown before counts for nothing, but for what inbound packets did while
  // nothing was enforced.
  void Forget();

  // Tries every planned packet, now. Some tenths of a millisecond.
  void TryToEscape(const platform::FilterPolicy& policy, const std::vector<std::string>& uplinks);

  // Tries some destinations of the rules that `policy` allows by (ISO-7), others at each call. What the last
  // calls found stopped is tried again each time.
  void TryAllowed(const platform::FilterPolicy& policy);

  // What the DNS guard said, asked as a program asks. True when that is other news than the last.
  bool SetGuard(const absl::Status& answer);

  // The channel's proof, of this state.
  void SetChannel(const platform::FilterPolicy& policy, const absl::Status& proof);

  // An inbound packet under `policy`. At observe it is the positive control for later ones: a packet that
  // stays away proves something only where one has come before.
  void SetInbound(const platform::FilterPolicy& policy, const InboundProbe::Result& result,
                  platform::FlowProtocol protocol);
  // What to ask for under `policy`; nothing when every inbound packet that can be asked for is allowed.
  static std::optional<InboundProbe::Attempt> InboundAttempt(const platform::FilterPolicy& policy,
                                                             platform::FlowProtocol protocol);

  std::vector<v1::Probe> Results() const;
  // Each forbidden packet that passed, as a sentence: never `contained`.
  std::vector<std::string> Leaks() const;
  // What stayed silent although it is open, as a sentence: no hole in the rules.
  std::vector<std::string> Doubts() const;
  // What `profile` allows and this host stops all the same, as a sentence: closed too far, which is no hole.
  std::vector<std::string> Stopped(const v1::Profile& profile) const;
  bool StopsAllowed() const;

 private:
  void Put(std::vector<v1::Probe>* to, v1::Probe probe);

  EscapeProbe* const escape_;
  std::vector<v1::Probe> escapes_;
  std::vector<v1::Probe> inbound_;
  std::vector<v1::Probe> allowed_;
  std::vector<AllowedProbe> stopped_;  // at most half of what is tried at a time
  uint64_t allowed_turn_ = 0;
  std::optional<v1::Probe> guard_;
  std::string guard_error_;
  std::optional<v1::Probe> channel_;
  std::string channel_error_;
  bool tcp_came_in_ = false;  // while nothing was enforced
  bool udp_came_in_ = false;
};

}  // namespace cordon::agent
