#include "tests/bench/isolation_repair.h"

#include <chrono>
#include <functional>
#include <stdexcept>
#include <utility>

#include "tests/bench/isolation_ways.h"
#include "tests/support/subprocess.h"
#include "tests/support/watched_isolation.h"

namespace cordon::testing {
namespace {

class CordonRepairer final : public Repairer {
 public:
  CordonRepairer(const NetNamespace& host, int entries) : host_(host) {
    const absl::StatusOr<v1::Receipt> receipt = watched_.Set(ActionFor({.entries = entries}));
    if (!receipt.ok()) throw std::runtime_error(receipt.status().ToString());
  }
  ~CordonRepairer() override { static_cast<void>(watched_.Release()); }

  std::string Name() const override { return "cordon"; }

  // As the agent's own event says it: from the kernel's notification to the commit of the repair.
  double EditAndAwaitRepair() override {
    Subprocess nft({"nft", "delete table inet cordon; delete table netdev cordon"},
                   {.net_namespace = host_.Name()});
    if (nft.Wait() != 0) throw std::runtime_error("the edit failed: " + nft.Errors());
    if (!watched_.IsTold(static_cast<uint32_t>(nft.Pid()))) throw std::runtime_error("no repair was told");
    watched_.Tick();
    const v1::RulesDrift drift = watched_.Drifts().back();
    if (!drift.repaired()) throw std::runtime_error("not repaired: " + drift.repair_error());
    return static_cast<double>(drift.stood_nanos()) / 1e9;
  }

 private:
  static std::unique_ptr<platform::PacketFilter> FilterIn(const NetNamespace& host) {
    const InNetNamespace inside(host);
    return platform::MakePacketFilter();
  }

  const NetNamespace& host_;
  const std::unique_ptr<platform::PacketFilter> filter_ = FilterIn(host_);
  WatchedIsolation watched_{host_, *filter_};
};

class ScriptedRepairer final : public Repairer {
 public:
  ScriptedRepairer(const NetNamespace& host, std::unique_ptr<Way> way, int entries)
      : host_(host), way_(std::move(way)), wanted_{.entries = entries, .second = false} {
    way_->Change(wanted_);
  }

  std::string Name() const override { return way_->Name(); }

  double EditAndAwaitRepair() override {
    host_.Run({"nft", "delete table inet plain"});
    const auto began = std::chrono::steady_clock::now();
    if (RunCommand({"nft", "list", "table", "inet", "plain"}, {.net_namespace = host_.Name()}).status == 0)
      throw std::runtime_error("the edit changed nothing");
    way_->Change(wanted_);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  }

 private:
  const NetNamespace& host_;
  const std::unique_ptr<Way> way_;
  const Wanted wanted_;
};

}  // namespace

std::unique_ptr<Repairer> MakeCordonRepairer(const NetNamespace& host, int entries) {
  return std::make_unique<CordonRepairer>(host, entries);
}
std::unique_ptr<Repairer> MakeScriptRepairer(const NetNamespace& host, int entries) {
  return std::make_unique<ScriptedRepairer>(host, MakeScriptWay(host), entries);
}
std::unique_ptr<Repairer> MakeCommandsRepairer(const NetNamespace& host, int entries) {
  return std::make_unique<ScriptedRepairer>(host, MakeCommandsWay(host), entries);
}

}  // namespace cordon::testing
