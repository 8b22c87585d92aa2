#include "tests/bench/isolation_ways.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <stdexcept>

#include "agent/isolation/isolation.h"
#include "platform/api/system.h"
#include "tests/bench/packet_pump.h"
#include "tests/fakes/fake_probes.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/actions.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_folder.h"

namespace cordon::testing {
namespace {

constexpr int kPerRule = 250;  // a rule takes 256 networks
constexpr const char* kPeer = "10.9.0.2";

double SecondsSince(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

class CordonWay final : public Way {
 public:
  explicit CordonWay(const NetNamespace& host) : inside_(host) {
    filter_ = platform::MakePacketFilter();
    connections_ = platform::MakeConnectionTable();
    isolation_ = std::make_unique<agent::Isolation>(
        agent::IsolationParts{.filter = filter_.get(),
                              .connections = connections_.get(),
                              .clock = clock_.get(),
                              .events = &events_,
                              .escape = &escape_,
                              .channel = &channel_},
        agent::IsolationOptions{.state_file = folder_ / "isolation.state", .boot_id = "boot-1"});
    isolation_->SetControllers({{.address = boost::asio::ip::make_address(kPeer), .port = 8443}});
  }
  ~CordonWay() override { static_cast<void>(isolation_->Release("release", ++sequence_).ok()); }

  std::string Name() const override { return "cordon"; }

  double Change(const Wanted& wanted) override {
    ++sequence_;
    const absl::StatusOr<v1::Receipt> receipt =
        isolation_->Set(ActionFor(wanted), fmt::format("order-{}", sequence_), sequence_);
    if (!receipt.ok()) throw std::runtime_error(receipt.status().ToString());
    if (receipt->containment() != v1::CONTAINMENT_CONTAINED) {
      throw std::runtime_error("not contained: " + receipt->ShortDebugString());
    }
    isolation_->Tick();  // which the agent does every second: the rules of before go
    return static_cast<double>(receipt->apply_nanos()) / 1e9;
  }

 private:
  const InNetNamespace inside_;  // while this lives, its thread is in the host's namespace
  TempFolder folder_;
  std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
  RecordingSink events_;
  FakeChannelProbe channel_;
  FakeEscapeProbe escape_;
  std::unique_ptr<platform::PacketFilter> filter_;
  std::unique_ptr<platform::ConnectionTable> connections_;
  std::unique_ptr<agent::Isolation> isolation_;
  uint64_t sequence_ = 0;
};

// One allowed flow, as the lines of the two chains.
struct Permit {
  std::string out;
  std::string in;
};

std::vector<Permit> PumpPermits() {
  const auto pump = PacketPump::kAllowedPort;
  return {{fmt::format("ip daddr {} udp dport {} accept", kPeer, pump),
           fmt::format("ip saddr {} udp dport {} accept", kPeer, pump)}};
}

Permit PermitFor(std::string_view peers) {
  return {fmt::format("ip daddr {} tcp dport 443 accept", peers),
          fmt::format("ip saddr {} tcp sport 443 accept", peers)};
}

class ScriptWay final : public Way {
 public:
  explicit ScriptWay(const NetNamespace& host) : host_(host) {}
  ~ScriptWay() override { host_.Run({"nft", "delete table inet plain"}); }

  std::string Name() const override { return "nft-script"; }

  double Change(const Wanted& wanted) override {
    const std::string file = (folder_ / "rules.nft").string();
    const auto began = std::chrono::steady_clock::now();
    std::ofstream(file) << Script(wanted);
    host_.Run({"nft", "-f", file});
    return SecondsSince(began);
  }

 private:
  static std::string Script(const Wanted& wanted) {
    std::string peers;
    for (const std::string& address : AddressesOf(wanted)) peers += (peers.empty() ? "" : ", ") + address;
    std::vector<Permit> permits = PumpPermits();
    permits.push_back(PermitFor("{ " + peers + " }"));
    std::string in;
    std::string out;
    for (const Permit& permit : permits) {
      in += permit.in + "\n";
      out += permit.out + "\n";
    }
    return fmt::format(
        "add table inet plain\ndelete table inet plain\ntable inet plain {{\n"
        "chain input {{\ntype filter hook input priority 0; policy drop;\niif lo accept\n{}}}\n"
        "chain output {{\ntype filter hook output priority 0; policy drop;\noif lo accept\n{}}}\n}}\n",
        in, out);
  }

  const NetNamespace& host_;
  TempFolder folder_;
};

class CommandsWay final : public Way {
 public:
  explicit CommandsWay(const NetNamespace& host) : host_(host) {}
  ~CommandsWay() override { host_.Run({"nft", "delete table inet plain"}); }

  std::string Name() const override { return "nft-commands"; }

  double Change(const Wanted& wanted) override {
    std::vector<Permit> permits = PumpPermits();
    for (const std::string& address : AddressesOf(wanted)) permits.push_back(PermitFor(address));
    const auto began = std::chrono::steady_clock::now();
    Do("add table inet plain");  // so that the next one does not fail the first time
    Do("delete table inet plain");
    Do("add table inet plain");
    Do("add chain inet plain input { type filter hook input priority 0; policy drop; }");
    Do("add chain inet plain output { type filter hook output priority 0; policy drop; }");
    Do("add rule inet plain input iif lo accept");
    Do("add rule inet plain output oif lo accept");
    for (const Permit& permit : permits) {
      Do("add rule inet plain input " + permit.in);
      Do("add rule inet plain output " + permit.out);
    }
    return SecondsSince(began);
  }

 private:
  void Do(const std::string& command) { host_.Run({"nft", command}); }

  const NetNamespace& host_;
};

}  // namespace

v1::IsolateAction ActionFor(const Wanted& wanted) {
  v1::IsolateAction action = WithRule(Isolate(v1::LEVEL_ESSENTIAL), v1::DIRECTION_BOTH,
                                      v1::TRANSPORT_PROTOCOL_UDP, {kPeer}, PacketPump::kAllowedPort);
  const std::vector<std::string> addresses = AddressesOf(wanted);
  for (size_t at = 0; at < addresses.size(); at += kPerRule) {
    const auto end = addresses.begin() + static_cast<long>(std::min(at + kPerRule, addresses.size()));
    action = WithRule(std::move(action), v1::DIRECTION_OUT, v1::TRANSPORT_PROTOCOL_TCP,
                      {addresses.begin() + static_cast<long>(at), end}, 443);
  }
  return action;
}

std::vector<std::string> AddressesOf(const Wanted& wanted) {
  std::vector<std::string> addresses;
  // 198.18.0.0/15 is set aside for benchmarks. Every other address, so that no two merge into a range.
  for (int i = 0; i < wanted.entries; ++i) {
    const int number = 2 * i;
    addresses.push_back(
        fmt::format("198.{}.{}.{}", wanted.second ? 19 : 18, number / 256 % 256, number % 256));
  }
  return addresses;
}

std::unique_ptr<Way> MakeCordonWay(const NetNamespace& host) {
  return std::make_unique<CordonWay>(host);
}
std::unique_ptr<Way> MakeScriptWay(const NetNamespace& host) {
  return std::make_unique<ScriptWay>(host);
}
std::unique_ptr<Way> MakeCommandsWay(const NetNamespace& host) {
  return std::make_unique<CommandsWay>(host);
}

}  // namespace cordon::testing
