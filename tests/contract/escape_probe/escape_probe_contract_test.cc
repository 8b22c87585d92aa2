// The contract of agent/isolation/probes.h's EscapeProbe, on the fake that unit tests use and on real packets
// under real rules.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>

#include "agent/isolation/probes.h"
#include "tests/fakes/fake_probes.h"
#include "tests/support/net_namespace.h"
#include "tests/support/policies.h"

namespace cordon::testing {
namespace {

using agent::EscapeProbe;
using platform::FlowProtocol;
using Outcome = EscapeProbe::Outcome;

// A host that a test can shut wholly, or for single destinations.
class Ground {
 public:
  virtual ~Ground() = default;
  virtual EscapeProbe& Probe() = 0;
  virtual void ShutForForbidden(bool shut) = 0;  // what no rule allows
  virtual void Stop(const Endpoint& target) = 0;
  virtual void StopNothing() = 0;
};

class FakeGround final : public Ground {
 public:
  EscapeProbe& Probe() override { return probe_; }
  void ShutForForbidden(bool shut) override {
    if (!shut) probe_.Open();
  }
  void Stop(const Endpoint& target) override { probe_.Stop(target); }
  void StopNothing() override { probe_.StopNothing(); }

 private:
  FakeEscapeProbe probe_;
};

class NativeGround final : public Ground {
 public:
  NativeGround() {
    ConnectByVeth({host_, "up0", {"10.9.0.1/24", "fd09::1/64"}},
                  {peer_, "eth0", {"10.9.0.2/24", "fd09::2/64"}});
    host_.Ip("route add default via 10.9.0.2");
    host_.Ip("-6 route add default via fd09::2");
    inside_.emplace(host_);
    probe_ = agent::MakeEscapeProbe();
  }
  EscapeProbe& Probe() override { return *probe_; }
  void ShutForForbidden(bool shut) override {
    if (shut) Rule("ip daddr 192.0.2.254 drop");
  }
  void Stop(const Endpoint& target) override {
    Rule((target.address.is_v6() ? "ip6 daddr " : "ip daddr ") + target.address.to_string() +
         (target.port == 0 ? "" : " tcp dport " + std::to_string(target.port)) + " drop");
  }
  void StopNothing() override { host_.Run({"nft", "flush ruleset"}); }

 private:
  void Rule(const std::string& rule) {
    host_.Run({"nft",
               "add table inet t; add chain inet t out { type filter hook output priority 0; };"
               "add rule inet t out " +
                   rule});
  }

  NetNamespace host_{"host"};
  NetNamespace peer_{"peer"};
  std::optional<InNetNamespace> inside_;
  std::unique_ptr<EscapeProbe> probe_;
};

struct Kind {
  const char* name;
  std::function<std::unique_ptr<Ground>()> make;
};

class EscapeProbeContract : public ::testing::TestWithParam<Kind> {
 protected:
  Outcome Forbidden() {
    return ground_->Probe().TryToSend(
        {.kind = agent::ProbePacket::Kind::kUdp, .target = At("192.0.2.254", 9), .interface = ""});
  }
  Outcome Allowed(FlowProtocol protocol, const std::string& address, uint16_t port, uint32_t tag = 0) {
    return ground_->Probe().TryAllowed(
        {.protocol = protocol, .target = At(address, port), .program_tag = tag});
  }

  const std::unique_ptr<Ground> ground_ = GetParam().make();
};

TEST_P(EscapeProbeContract, ISO7_TellsAForbiddenPacketThatLeavesFromOneThatDoesNot) {
  ground_->ShutForForbidden(true);
  EXPECT_EQ(Forbidden(), Outcome::kBlocked);
  ground_->StopNothing();
  ground_->ShutForForbidden(false);
  EXPECT_EQ(Forbidden(), Outcome::kLeft);
}

TEST_P(EscapeProbeContract, ISO7_TellsAnAllowedPacketThatIsStoppedFromOneThatIsNot) {
  for (const uint32_t tag : {0U, 0x0d000001U}) {
    for (const char* address : {"10.9.0.2", "fd09::2"}) {
      SCOPED_TRACE(address);
      EXPECT_EQ(Allowed(FlowProtocol::kTcp, address, 443, tag), Outcome::kLeft) << "the positive control";
      ground_->Stop(At(address, 443));
      EXPECT_EQ(Allowed(FlowProtocol::kTcp, address, 443, tag), Outcome::kBlocked);
      EXPECT_EQ(Allowed(FlowProtocol::kTcp, address, 444, tag), Outcome::kLeft);
      EXPECT_EQ(Allowed(FlowProtocol::kUdp, address, 444, tag), Outcome::kLeft);
      EXPECT_EQ(Allowed(FlowProtocol::kIcmpEcho, address, 0, tag), Outcome::kLeft);
      ground_->Stop(At(address, 0));
      EXPECT_EQ(Allowed(FlowProtocol::kIcmpEcho, address, 0, tag), Outcome::kBlocked);
      ground_->StopNothing();
      EXPECT_EQ(Allowed(FlowProtocol::kTcp, address, 443, tag), Outcome::kLeft);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Both, EscapeProbeContract,
                         ::testing::Values(Kind{"Fake", [] { return std::make_unique<FakeGround>(); }},
                                           Kind{"Native", [] { return std::make_unique<NativeGround>(); }}),
                         [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace cordon::testing
