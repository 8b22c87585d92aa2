#include "agent/isolation/probe_board.h"

#include <algorithm>
#include <utility>

#include "agent/isolation/evaluate.h"
#include "agent/isolation/policy.h"
#include "common/base/status.h"
#include "common/base/text.h"

namespace cordon::agent {
namespace {

using platform::FilterPolicy;
using platform::FlowProtocol;
using platform::Level;
using Kind = ProbePacket::Kind;

constexpr uint16_t kDiscard = 9;
constexpr uint16_t kDns = 53;
constexpr uint16_t kNetbios = 137;
constexpr uint16_t kSmb = 445;
// VNC displays that hardly anybody has: lateral ports that an unprivileged listener gets.
constexpr uint16_t kLateralListeners[] = {5999, 5998, 5997, 5899, 5898};

Endpoint At(const char* address, uint16_t port) {
  return {.address = boost::asio::ip::make_address(address), .port = port};
}

// TEST-NET-1 and the documentation prefix are routed nowhere; nor are these ends of private networks, which
// are what no-lateral closes.
struct Targets {
  const char* v4;
  const char* v6;
  uint16_t udp;
  uint16_t tcp;
};
Targets TargetsOf(Level level) {
  if (level == Level::kNoLateral) return {"10.255.255.254", "fdff:ffff:ffff::fffe", kNetbios, kSmb};
  return {"192.0.2.254", "2001:db8::fffe", kDiscard, kDiscard};
}

bool Forbids(const FilterPolicy& policy, const ProbePacket& packet) {
  platform::Connection flow;
  flow.protocol = packet.kind == Kind::kTcpSyn ? FlowProtocol::kTcp : FlowProtocol::kUdp;
  flow.remote = packet.target;
  return !Allows(policy, flow);
}

v1::Probe::Outcome WireOutcome(EscapeProbe::Outcome outcome) {
  switch (outcome) {
    case EscapeProbe::Outcome::kLeft:
      return v1::Probe::OUTCOME_PASSED;
    case EscapeProbe::Outcome::kBlocked:
      return v1::Probe::OUTCOME_BLOCKED;
    case EscapeProbe::Outcome::kNotPossible:
      break;
  }
  return v1::Probe::OUTCOME_NOT_POSSIBLE;
}

// Whether a packet from the controller to `result.local` is one that the policy lets in. Replies of a UDP
// permit cannot be told from the first packet of a flow: where a rule names the controller's address, it is
// taken as open.
bool MayComeIn(const FilterPolicy& policy, const InboundProbe::Result& result, FlowProtocol protocol) {
  platform::Connection flow;
  flow.protocol = protocol;
  flow.direction = platform::FlowDirection::kIn;
  flow.local = result.local;
  flow.remote = {.address = result.controller, .port = 0};
  if (Allows(policy, flow)) return true;
  if (protocol != FlowProtocol::kUdp || policy.level == Level::kDark) return false;
  return std::any_of(policy.allow.begin(), policy.allow.end(), [&](const platform::FilterRule& rule) {
    return rule.protocol == FlowProtocol::kUdp &&
           std::any_of(rule.networks.begin(), rule.networks.end(),
                       [&](const Network& network) { return network.Contains(result.controller); });
  });
}

}  // namespace

std::vector<PlannedProbe> PlanProbes(const FilterPolicy& policy, const std::vector<std::string>& uplinks) {
  if (policy.level == Level::kObserve) return {};
  const Targets to = TargetsOf(policy.level);
  std::vector<PlannedProbe> probes = {
      {"udp4 out", {.kind = Kind::kUdp, .target = At(to.v4, to.udp), .interface = ""}},
      {"udp6 out", {.kind = Kind::kUdp, .target = At(to.v6, to.udp), .interface = ""}},
      {"tcp4 out", {.kind = Kind::kTcpSyn, .target = At(to.v4, to.tcp), .interface = ""}},
      {"tcp6 out", {.kind = Kind::kTcpSyn, .target = At(to.v6, to.tcp), .interface = ""}},
  };
  // Where a guard answers for port 53, what is sent there never leaves and proves nothing; the frame below
  // stands for it.
  if (!policy.dns.has_value()) {
    probes.push_back({"dns", {.kind = Kind::kUdp, .target = At(to.v4, kDns), .interface = ""}});
  }
  for (size_t at = 0; at < std::min(uplinks.size(), kMostFrameProbes); ++at) {
    const uint16_t port = policy.dns.has_value() ? kDns : to.udp;
    probes.push_back({StrCat("frame out ", uplinks[at]),
                      {.kind = Kind::kFrame, .target = At(to.v4, port), .interface = uplinks[at]}});
  }
  std::erase_if(probes, [&](const PlannedProbe& probe) { return !Forbids(policy, probe.packet); });
  return probes;
}

void ProbeBoard::Forget() {
  escapes_.clear();
  allowed_.clear();
  stopped_.clear();
  guard_.reset();
  guard_error_.clear();
  inbound_.clear();
  channel_.reset();
  channel_error_.clear();
}

void ProbeBoard::TryToEscape(const FilterPolicy& policy, const std::vector<std::string>& uplinks) {
  escapes_.clear();
  if (escape_ == nullptr) return;
  for (const PlannedProbe& planned : PlanProbes(policy, uplinks)) {
    v1::Probe& probe = escapes_.emplace_back();
    probe.set_name(planned.name);
    probe.set_remote(FormatEndpoint(planned.packet.target));
    probe.set_outcome(WireOutcome(escape_->TryToSend(planned.packet)));
  }
}

void ProbeBoard::TryAllowed(const FilterPolicy& policy) {
  allowed_.clear();
  if (!policy.dns.has_value()) guard_.reset();
  if (escape_ == nullptr) return;
  std::vector<AllowedProbe> probes = std::exchange(stopped_, {});
  std::erase_if(probes, [&](const AllowedProbe& probe) { return !IsAllowed(policy, probe); });
  AllowedPlan plan = PlanAllowed(policy, allowed_turn_, kMostAllowedProbes - probes.size());
  allowed_turn_ = plan.next_turn;
  for (AllowedProbe& probe : plan.probes)
    if (std::ranges::find(probes, probe) == probes.end()) probes.push_back(std::move(probe));
  for (const AllowedProbe& probe : probes) {
    const EscapeProbe::Outcome outcome = escape_->TryAllowed(probe.packet);
    v1::Probe& shown = allowed_.emplace_back();
    shown.set_name(NameOf(probe.packet));
    shown.set_remote(FormatEndpoint(probe.packet.target));
    shown.set_expected_open(true);
    shown.set_rule(static_cast<uint32_t>(probe.rule) + 1);
    shown.set_outcome(WireOutcome(outcome));
    if (outcome == EscapeProbe::Outcome::kBlocked && stopped_.size() < kMostAllowedProbes / 2)
      stopped_.push_back(probe);
  }
}

bool ProbeBoard::SetGuard(const absl::Status& answer) {
  const bool was_silent = guard_.has_value() && guard_->outcome() != v1::Probe::OUTCOME_PASSED;
  guard_.emplace();
  guard_->set_name("dns guard");
  guard_->set_expected_open(true);
  guard_->set_outcome(answer.ok() ? v1::Probe::OUTCOME_PASSED : v1::Probe::OUTCOME_NO_ANSWER);
  guard_error_ = Printable(Message(answer));
  return was_silent == answer.ok();
}

void ProbeBoard::SetChannel(const FilterPolicy& policy, const absl::Status& proof) {
  channel_.emplace();
  channel_->set_name("controller");
  if (!policy.controllers.empty()) channel_->set_remote(FormatEndpoint(policy.controllers.front()));
  channel_->set_expected_open(policy.level != Level::kDark);
  channel_->set_outcome(proof.ok() ? v1::Probe::OUTCOME_PASSED : v1::Probe::OUTCOME_NO_ANSWER);
  channel_error_ = Printable(Message(proof));
}

void ProbeBoard::SetInbound(const FilterPolicy& policy, const InboundProbe::Result& result,
                            FlowProtocol protocol) {
  using Outcome = InboundProbe::Result::Outcome;
  bool& came_in = protocol == FlowProtocol::kTcp ? tcp_came_in_ : udp_came_in_;
  const bool arrived = result.outcome == Outcome::kArrived;
  if (policy.level == Level::kObserve) came_in = arrived;
  v1::Probe probe;
  probe.set_name(
      StrCat(protocol == FlowProtocol::kTcp ? "tcp" : "udp", result.controller.is_v6() ? "6" : "4", " in"));
  probe.set_remote(result.controller.to_string());
  probe.set_expected_open(policy.level == Level::kObserve || MayComeIn(policy, result, protocol));
  if (arrived) {
    probe.set_outcome(v1::Probe::OUTCOME_PASSED);
  } else if (result.outcome == Outcome::kNotPossible || !came_in) {
    probe.set_outcome(v1::Probe::OUTCOME_NOT_POSSIBLE);
  } else {
    probe.set_outcome(probe.expected_open() ? v1::Probe::OUTCOME_NO_ANSWER : v1::Probe::OUTCOME_BLOCKED);
  }
  Put(&inbound_, std::move(probe));
}

std::optional<InboundProbe::Attempt> ProbeBoard::InboundAttempt(const FilterPolicy& policy,
                                                                FlowProtocol protocol) {
  InboundProbe::Attempt attempt{.protocol = protocol, .ports = {}};
  if (policy.level == Level::kDark) return std::nullopt;  // nobody can be asked
  if (policy.level != Level::kNoLateral) return attempt;
  if (protocol != FlowProtocol::kTcp) return std::nullopt;  // its lateral ports are the system's own
  attempt.ports.assign(std::begin(kLateralListeners), std::end(kLateralListeners));
  return attempt;
}

void ProbeBoard::Put(std::vector<v1::Probe>* to, v1::Probe probe) {
  std::erase_if(*to, [&](const v1::Probe& other) { return other.name() == probe.name(); });
  to->push_back(std::move(probe));
}

std::vector<v1::Probe> ProbeBoard::Results() const {
  std::vector<v1::Probe> all;
  if (channel_.has_value()) all.push_back(*channel_);
  if (guard_.has_value()) all.push_back(*guard_);
  all.insert(all.end(), allowed_.begin(), allowed_.end());
  all.insert(all.end(), escapes_.begin(), escapes_.end());
  all.insert(all.end(), inbound_.begin(), inbound_.end());
  return all;
}

std::vector<std::string> ProbeBoard::Leaks() const {
  std::vector<std::string> leaks;
  for (const v1::Probe& probe : Results()) {
    if (probe.expected_open() || probe.outcome() != v1::Probe::OUTCOME_PASSED) continue;
    leaks.push_back(
        probe.name().ends_with(" in")
            ? StrCat("a forbidden packet came in from ", probe.remote(), " (", probe.name(), ")")
            : StrCat("a forbidden packet to ", probe.remote(), " could leave (", probe.name(), ")"));
  }
  return leaks;
}

std::vector<std::string> ProbeBoard::Doubts() const {
  std::vector<std::string> doubts;
  for (const v1::Probe& probe : Results()) {
    const bool is_guard = guard_.has_value() && probe.name() == guard_->name();
    if (!probe.expected_open() || probe.outcome() != v1::Probe::OUTCOME_NO_ANSWER || is_guard) continue;
    const bool is_channel = channel_.has_value() && probe.name() == channel_->name();
    doubts.push_back(is_channel ? StrCat("the controller was not reached at the last proof: ", channel_error_)
                                : StrCat(probe.name(), " is open and nothing came from ", probe.remote()));
  }
  return doubts;
}

std::vector<std::string> ProbeBoard::Stopped(const v1::Profile& profile) const {
  std::vector<std::string> stopped;
  for (const v1::Probe& probe : allowed_) {
    if (probe.outcome() != v1::Probe::OUTCOME_BLOCKED) continue;
    stopped.push_back(StrCat(RuleName(profile, probe.rule() - 1), " allows ", probe.remote(), " (",
                             probe.name(),
                             "), and a rule of this host stops it: look for another firewall on it"));
  }
  if (guard_.has_value() && guard_->outcome() != v1::Probe::OUTCOME_PASSED) {
    stopped.push_back(
        StrCat("the DNS guard does not answer programs of this host, so the profile's names lead "
               "nowhere: ",
               guard_error_));
  }
  return stopped;
}

bool ProbeBoard::StopsAllowed() const {
  const auto is_stopped = [](const v1::Probe& probe) {
    return probe.outcome() == v1::Probe::OUTCOME_BLOCKED;
  };
  return std::ranges::any_of(allowed_, is_stopped) ||
         (guard_.has_value() && guard_->outcome() != v1::Probe::OUTCOME_PASSED);
}

}  // namespace cordon::agent
