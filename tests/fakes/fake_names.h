#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/names/name_list.h"
#include "agent/names/names.h"

namespace cordon::testing {

// Opens what the test says, for the first set of the profile.
class FakeNames final : public agent::Names {
 public:
  // Verbs of a test.
  absl::Status Opens(const std::string& text) {
    const auto address = boost::asio::ip::make_address(text);
    if (std::find(open_.begin(), open_.end(), address) == open_.end()) open_.push_back(address);
    std::sort(open_.begin(), open_.end());
    return listener_(Change::kAddresses);
  }
  bool GuardIsAsked() const { return asked_.has_value(); }
  void GuardSays(absl::Status answer) {
    const auto done = std::exchange(asked_, std::nullopt);
    if (done.has_value()) (*done)(std::move(answer));
  }
  void Note(std::string note) { notes_.push_back(std::move(note)); }
  v1::Level Level() const { return level_; }
  void HasResolvers(std::vector<Endpoint> resolvers) { resolvers_ = std::move(resolvers); }

  void Begin(const v1::IsolationState& state) override {
    level_ = state.level();
    sets_ = agent::NameList(state.action().profile()).SetCount();
    if (sets_ == 0) open_.clear();
    for (const v1::OpenedAddress& opened : state.opened()) {
      const auto address = boost::asio::ip::make_address(opened.address());
      if (sets_ > 0 && std::find(open_.begin(), open_.end(), address) == open_.end())
        open_.push_back(address);
    }
    std::sort(open_.begin(), open_.end());
  }
  void Settle() override {}
  void Record(v1::IsolationState* state) const override {
    state->clear_opened();
    for (const auto& address : open_) {
      state->add_opened()->set_name("pms.example.vet");
      state->mutable_opened()->rbegin()->set_address(address.to_string());
    }
  }
  std::vector<platform::NameSet> Sets() const override {
    std::vector<platform::NameSet> sets(sets_);
    if (!sets.empty()) sets.front().addresses = open_;
    return sets;
  }
  std::optional<platform::DnsRedirect> Redirect() const override {
    if (level_ != v1::LEVEL_ESSENTIAL || sets_ == 0) return std::nullopt;
    return platform::DnsRedirect{.guard_port = 1011, .resolvers = {}};
  }
  std::vector<Endpoint> OwnResolvers() const override {
    return Redirect().has_value() ? std::vector<Endpoint>() : resolvers_;
  }
  void LookUpController(const std::string& /*name*/, std::function<void(Addresses)> /*done*/) override {}
  void AskGuard(std::function<void(absl::Status)> done) override { asked_ = std::move(done); }
  std::vector<std::string> Notes() const override { return notes_; }
  void OnChange(std::function<absl::Status(Change)> listener) override { listener_ = std::move(listener); }
  void Tick() override {}

 private:
  std::function<absl::Status(Change)> listener_;
  std::optional<std::function<void(absl::Status)>> asked_;
  v1::Level level_ = v1::LEVEL_OBSERVE;
  size_t sets_ = 0;
  std::vector<boost::asio::ip::address> open_;
  std::vector<std::string> notes_;
  std::vector<Endpoint> resolvers_;
};

}  // namespace cordon::testing
