#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/strings.h"
#include "common/crypto/digest.h"
#include "platform/api/packet_filter.h"

namespace cordon::testing {

// A packet filter that holds its policy in memory and can be broken.
class FakePacketFilter final : public platform::PacketFilter {
 public:
  // Verbs of a test.
  void FailApply(absl::Status status) { apply_error_ = std::move(status); }
  void FailApplyOnce(absl::Status status) { apply_error_once_ = std::move(status); }
  // Called at each Apply, before anything else.
  void OnApply(std::function<void()> listener) { on_apply_ = std::move(listener); }
  void FailUpdateNames(absl::Status status) { update_error_ = std::move(status); }
  void FailReadBack(absl::Status status) { read_error_ = std::move(status); }
  void AddUplink(const std::string& name) { uplinks_.push_back(name); }
  // Somebody changes the rules behind the agent's back.
  void Tamper(std::string difference) { tampered_ = std::move(difference); }
  // Somebody removes Cordon's rules.
  void Lose() { held_.reset(), covered_.clear(); }
  void Drop(uint64_t packets) { dropped_ += packets; }

  const std::optional<platform::FilterPolicy>& Held() const { return held_; }
  int Applications() const { return applications_; }
  int NameUpdates() const { return updates_; }
  // Every policy that was in force, in order.
  const std::vector<platform::FilterPolicy>& History() const { return history_; }

  absl::Status Apply(const platform::FilterPolicy& policy) override {
    if (on_apply_) on_apply_();
    if (!apply_error_once_.ok()) return std::exchange(apply_error_once_, absl::OkStatus());
    if (!apply_error_.ok()) return apply_error_;
    ++applications_;
    history_.push_back(policy);
    tampered_.reset();
    dropped_ = 0;
    covered_ = uplinks_;
    held_ = policy;
    if (policy.level == platform::Level::kObserve) Lose();
    return absl::OkStatus();
  }

  absl::Status Tidy() override { return absl::OkStatus(); }

  absl::Status UpdateNames(const platform::FilterPolicy& policy) override {
    if (!update_error_.ok()) return update_error_;
    if (!held_.has_value() || held_->name_sets.size() != policy.name_sets.size())
      return absl::FailedPreconditionError("the kernel holds other sets");
    held_->name_sets = policy.name_sets;
    ++updates_;
    return absl::OkStatus();
  }

  absl::StatusOr<platform::FilterReadback> ReadBack(const platform::FilterPolicy& intended) override {
    if (!read_error_.ok()) return read_error_;
    platform::FilterReadback readback;
    readback.absent = !held_.has_value();
    readback.ruleset_sha256 = Sha256(Text(intended));
    readback.dropped_packets = dropped_;
    const bool wants_nothing = intended.level == platform::Level::kObserve;
    if (wants_nothing != readback.absent) {
      readback.differences.emplace_back(wants_nothing ? "Cordon's rules still stand"
                                                      : "Cordon's rules are missing");
    } else if (!wants_nothing && !(*held_ == intended)) {
      readback.differences.emplace_back("the rules are those of another policy");
    }
    if (tampered_.has_value()) readback.differences.push_back(*tampered_);
    if (!readback.absent) {
      for (const std::string& uplink : uplinks_) {
        const bool covered = std::find(covered_.begin(), covered_.end(), uplink) != covered_.end();
        if (!covered) readback.differences.push_back(StrCat("uplink ", uplink, " has no hooks"));
      }
      readback.uplinks = covered_;
    }
    readback.matches = readback.differences.empty();
    return readback;
  }

  absl::StatusOr<std::string> Describe(const platform::FilterPolicy& policy) override { return Text(policy); }

 private:
  static std::string Text(const platform::FilterPolicy& policy) {
    std::string text = StrCat("level ", static_cast<int>(policy.level), "\n");
    for (const Endpoint& controller : policy.controllers)
      StrAppend(&text, "controller ", FormatEndpoint(controller), "\n");
    for (const platform::FilterRule& rule : policy.allow) {
      StrAppend(&text, "allow ", static_cast<int>(rule.direction), " ", static_cast<int>(rule.protocol));
      for (const Network& network : rule.networks) StrAppend(&text, " ", FormatNetwork(network));
      for (const platform::PortRange& range : rule.ports) StrAppend(&text, " ", range.first, "-", range.last);
      text += "\n";
    }
    return text;
  }

  absl::Status apply_error_;
  absl::Status apply_error_once_;
  std::function<void()> on_apply_;
  absl::Status update_error_;
  absl::Status read_error_;
  std::vector<std::string> uplinks_ = {"eth0"};
  std::vector<std::string> covered_;
  std::optional<platform::FilterPolicy> held_;
  std::optional<std::string> tampered_;
  std::vector<platform::FilterPolicy> history_;
  uint64_t dropped_ = 0;
  int applications_ = 0;
  int updates_ = 0;
};

}  // namespace cordon::testing
