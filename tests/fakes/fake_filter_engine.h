#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "platform/windows/packet_filter/filter_engine.h"

namespace cordon::testing {

// What an engine keeps beyond a session, and what was asked of it.
struct FilterWorld {
  std::vector<platform::wfp::HeldFilter> held;
  bool sublayer = false;
  bool sublayer_right = true;                   // as Cordon makes it
  bool sublayer_used = false;                   // by somebody's filter in a layer that is not listed
  std::set<platform::wfp::FilterKey> unlisted;  // filters in such layers
  std::vector<std::string> calls;
  std::string fail_at;  // the call that fails from now on
  int fail_after = 0;   // so many of it work first
  bool abort_fails = false;
  int opened = 0;

  absl::Status Call(const std::string& name) {
    calls.push_back(name);
    if (name != fail_at || fail_after-- > 0) return absl::OkStatus();
    return absl::InternalError("error 5");
  }
  int Count(const std::string& name) const { return static_cast<int>(std::ranges::count(calls, name)); }
};

// Records, and keeps what is committed; a transaction that does not commit leaves nothing.
class FakeFilterEngine final : public platform::wfp::FilterEngine {
 public:
  explicit FakeFilterEngine(FilterWorld* world) : world_(*world) {}

  absl::Status Begin() override {
    pending_ = world_.held;
    pending_sublayer_ = world_.sublayer;
    pending_right_ = world_.sublayer_right;
    pending_unlisted_ = world_.unlisted;
    return world_.Call("begin");
  }
  absl::Status Commit() override {
    CORDON_RETURN_IF_ERROR(world_.Call("commit"));
    world_.held = pending_;
    world_.sublayer = pending_sublayer_;
    world_.sublayer_right = pending_right_;
    world_.unlisted = pending_unlisted_;
    return absl::OkStatus();
  }
  absl::Status Abort() override {
    CORDON_RETURN_IF_ERROR(world_.Call("abort"));
    return world_.abort_fails ? absl::InternalError("error 6") : absl::OkStatus();
  }
  absl::Status AddSublayer() override {
    if (!pending_sublayer_) pending_right_ = true;  // one that stands is left as it is
    pending_sublayer_ = true;
    return world_.Call("add sublayer");
  }
  absl::Status DeleteSublayer() override {
    CORDON_RETURN_IF_ERROR(world_.Call("delete sublayer"));
    if (world_.sublayer_used || std::ranges::any_of(pending_, &platform::wfp::HeldFilter::of_cordon))
      return absl::FailedPreconditionError("in use");
    pending_sublayer_ = false;
    return absl::OkStatus();
  }
  absl::Status AddFilter(const platform::wfp::Filter& filter, const platform::wfp::FilterKey& key) override {
    CORDON_RETURN_IF_ERROR(world_.Call("add filter"));
    if (Held(key)) return absl::AlreadyExistsError("there is one of that key");
    pending_.push_back({.key = key, .filter = filter, .of_cordon = true, .sublayer_weight = 0xffff});
    return absl::OkStatus();
  }
  absl::Status DeleteFilter(const platform::wfp::FilterKey& key) override {
    CORDON_RETURN_IF_ERROR(world_.Call("delete filter"));
    if (!Held(key)) return absl::UnavailableError("there is no filter of that key");
    std::erase_if(pending_, [&](const platform::wfp::HeldFilter& each) { return each.key == key; });
    pending_unlisted_.erase(key);
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<platform::wfp::HeldFilter>> ListFilters() override {
    CORDON_RETURN_IF_ERROR(world_.Call("list"));
    return world_.held;
  }
  absl::StatusOr<bool> HasSublayer() override { return world_.sublayer && world_.sublayer_right; }
  absl::StatusOr<std::string> ProgramOf(const std::string& path) override {
    CORDON_RETURN_IF_ERROR(world_.Call("program"));
    if (path == "gone.exe") return absl::NotFoundError("no such file");
    if (path == "locked.exe") return absl::PermissionDeniedError("access is denied (5)");
    return "\\device\\" + path;
  }
  absl::Status Subscribe(std::function<void()>) override { return world_.Call("subscribe"); }

 private:
  bool Held(const platform::wfp::FilterKey& key) const {
    return std::ranges::find(pending_, key, &platform::wfp::HeldFilter::key) != pending_.end() ||
           pending_unlisted_.contains(key);
  }

  FilterWorld& world_;
  std::vector<platform::wfp::HeldFilter> pending_;
  bool pending_sublayer_ = false;
  bool pending_right_ = false;
  std::set<platform::wfp::FilterKey> pending_unlisted_;
};

}  // namespace cordon::testing
