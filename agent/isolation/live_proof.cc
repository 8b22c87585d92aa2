#include "agent/isolation/live_proof.h"

#include <array>
#include <utility>

#include "common/base/strings.h"
#include "common/base/text.h"

namespace cordon::agent {
namespace {

using platform::FilterPolicy;
using platform::FlowProtocol;

constexpr int64_t kInboundEvery = 3600 * kNanosPerSecond;
constexpr int64_t kInboundRetry = 5 * kNanosPerSecond;  // costs nothing while there is no connection
// After a change the channel is proven first, and the controller sends at most one packet a second.
constexpr int64_t kInboundAfterChange = 2 * kNanosPerSecond;
constexpr std::array<FlowProtocol, 2> kKinds = {FlowProtocol::kTcp, FlowProtocol::kUdp};

}  // namespace

void LiveProof::Forget() {
  ++state_;
  board_.Forget();
  bypasses_.clear();
  asking_ = false;
  if (parts_.clock != nullptr) next_inbound_boot_nanos_ = parts_.clock->BootNanos() + kInboundAfterChange;
}

void LiveProof::TryNow(const FilterPolicy& policy, const std::vector<std::string>& uplinks) {
  board_.TryToEscape(policy, uplinks);
  board_.TryAllowed(policy);
  bypasses_.clear();
  if (parts_.bypasses != nullptr && policy.level != platform::Level::kObserve) {
    bypasses_ = parts_.bypasses->Scan();
  }
}

void LiveProof::SetChannel(const FilterPolicy& policy, const absl::Status& proof) {
  board_.SetChannel(policy, proof);
}

void LiveProof::Tick(const std::function<FilterPolicy()>& policy, const std::function<void()>& changed) {
  if (parts_.inbound == nullptr || asking_ || parts_.clock->BootNanos() < next_inbound_boot_nanos_) return;
  next_inbound_boot_nanos_ = parts_.clock->BootNanos() + kInboundEvery;
  asking_ = true;
  heard_ = false;
  AskInbound(0, policy, changed);
}

// One kind after the other.
void LiveProof::AskInbound(size_t kind, const std::function<FilterPolicy()>& policy,
                           const std::function<void()>& changed) {
  if (kind == kKinds.size()) {
    asking_ = false;
    if (heard_) changed();
    return;
  }
  const auto attempt = ProbeBoard::InboundAttempt(policy(), kKinds[kind]);
  if (!attempt.has_value()) return AskInbound(kind + 1, policy, changed);
  parts_.inbound->Try(*attempt,
                      [this, kind, policy, changed, state = state_](const InboundProbe::Result& result) {
                        if (state != state_) return;
                        board_.SetInbound(policy(), result, kKinds[kind]);
                        // The agent may not be connected yet.
                        if (result.outcome == InboundProbe::Result::Outcome::kNotPossible) {
                          next_inbound_boot_nanos_ = parts_.clock->BootNanos() + kInboundRetry;
                        } else {
                          heard_ = true;
                        }
                        AskInbound(kind + 1, policy, changed);
                      });
}

void LiveProof::AddTo(const v1::Profile& profile, ReceiptFacts* facts) const {
  facts->probes = board_.Results();
  facts->holes = board_.Leaks();
  facts->holes.insert(facts->holes.end(), bypasses_.begin(), bypasses_.end());
  for (const std::string& interface : moved_away_) {
    facts->holes.push_back(
        StrCat("interface ", Printable(interface),
               " was moved into another network namespace: what is sent there is not held"));
  }
  facts->doubts = board_.Doubts();
  for (std::string& stopped : board_.Stopped(profile)) facts->doubts.push_back(std::move(stopped));
}

}  // namespace cordon::agent
