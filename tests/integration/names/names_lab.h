#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "agent/isolation/isolation.h"
#include "agent/names/name_service.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_probes.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/actions.h"
#include "tests/support/dns.h"
#include "tests/support/net_namespace.h"
#include "tests/support/policies.h"
#include "tests/support/temp_folder.h"
#include "tests/support/traffic.h"

namespace cordon::testing {

// Isolation with the real packet filter and the real guard, on a loop of its own inside `host`.
class IsolatedAgent {
 public:
  struct World {
    const NetNamespace& host;
    std::filesystem::path folder;
    FakeClock& clock;
    std::vector<std::string> resolvers;
    std::vector<std::string> controller_names;
  };

  explicit IsolatedAgent(World world) : world_(std::move(world)), work_(loop_.get_executor()) {
    std::promise<void> made;
    thread_ = std::thread([this, &made] {
      const InNetNamespace inside(world_.host);
      Make();
      made.set_value();
      loop_.run();
      isolation_.reset();
      names_.reset();
    });
    made.get_future().wait();
  }
  IsolatedAgent(const IsolatedAgent&) = delete;
  IsolatedAgent& operator=(const IsolatedAgent&) = delete;
  // As a killed process: what stands in the kernel stays.
  ~IsolatedAgent() {
    loop_.stop();
    thread_.join();
  }

  // Runs `what` on the agent loop.
  template <typename What>
  auto Do(What what) -> std::invoke_result_t<What, agent::Isolation&> {
    std::packaged_task<std::invoke_result_t<What, agent::Isolation&>()> task(
        [this, what = std::move(what)] { return what(*isolation_); });
    auto result = task.get_future();
    boost::asio::post(loop_, std::move(task));
    return result.get();
  }

  absl::StatusOr<v1::Receipt> Set(const v1::IsolateAction& action, uint64_t sequence) {
    return Do([&](agent::Isolation& isolation) {
      return isolation.Set(action, "order-" + std::to_string(sequence), sequence);
    });
  }
  absl::StatusOr<v1::Receipt> Release(uint64_t sequence) {
    return Do([&](agent::Isolation& isolation) {
      return isolation.Release("order-" + std::to_string(sequence), sequence);
    });
  }
  absl::Status Restore() {
    return Do([](agent::Isolation& isolation) { return isolation.Restore(); });
  }
  v1::Receipt Receipt() {
    return Do([](agent::Isolation& isolation) { return isolation.ReadReceipt(); });
  }
  agent::Names::Addresses LookUpController(const std::string& name) {
    std::promise<agent::Names::Addresses> found;
    boost::asio::post(loop_, [&] {
      names_->LookUpController(name, [&](agent::Names::Addresses addresses) { found.set_value(addresses); });
    });
    return found.get_future().get();
  }
  // Seconds go by, one tick each.
  void Pass(int seconds) {
    for (int second = 0; second < seconds; ++second) {
      world_.clock.Advance(kNanosPerSecond);
      Do([](agent::Isolation& isolation) { isolation.Tick(); });
    }
  }
  // DHCP names other DNS servers.
  void ResolversAreNow(std::vector<std::string> resolvers) {
    const std::lock_guard lock(mutex_);
    world_.resolvers = std::move(resolvers);
  }
  // True when `condition` of the receipt holds soon; look-ups run beside.
  bool SoonReceipt(const std::function<bool(const v1::Receipt&)>& condition) {
    for (int i = 0; i < 400; ++i) {
      if (condition(Receipt())) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  }

 private:
  void Make() {
    filter_ = platform::MakePacketFilter();
    connections_ = platform::MakeConnectionTable();
    escape_ = agent::MakeEscapeProbe();
    names_ = agent::MakeNameService({.loop = loop_,
                                     .clock = world_.clock,
                                     .connections = *connections_,
                                     .resolvers = [this]() -> absl::StatusOr<std::vector<Endpoint>> {
                                       const std::lock_guard lock(mutex_);
                                       std::vector<Endpoint> resolvers;
                                       for (const std::string& text : world_.resolvers)
                                         resolvers.push_back(At(text, 53));
                                       return resolvers;
                                     },
                                     .own_addresses =
                                         [] {
                                           return std::set{boost::asio::ip::make_address("10.9.0.1"),
                                                           boost::asio::ip::make_address("fd09::1")};
                                         },
                                     .port_file = world_.folder / "dns-guard.port",
                                     .other_names = world_.controller_names});
    isolation_ = std::make_unique<agent::Isolation>(
        agent::IsolationParts{.filter = filter_.get(),
                              .connections = connections_.get(),
                              .clock = &world_.clock,
                              .events = &events_,
                              .escape = escape_.get(),
                              .channel = &channel_,
                              .names = names_.get()},
        agent::IsolationOptions{.state_file = world_.folder / "isolation.state", .boot_id = "boot-1"});
  }

  World world_;
  std::mutex mutex_;
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::unique_ptr<platform::PacketFilter> filter_;
  std::unique_ptr<platform::ConnectionTable> connections_;
  std::unique_ptr<agent::EscapeProbe> escape_;
  FakeChannelProbe channel_;
  RecordingSink events_;
  std::unique_ptr<agent::Names> names_;
  std::unique_ptr<agent::Isolation> isolation_;
  std::thread thread_;
};

//   [ host 10.9.0.1 ] up0 ──── eth0 [ world ]   10.9.0.2 … 10.9.0.4, fd09::2: services
//                                               10.9.0.53, fd09::53: the host's resolver, 198.51.100.53:
//                                               another
class NamesTest : public ::testing::Test {
 protected:
  static constexpr const char* kResolver = "10.9.0.53";
  static constexpr const char* kStranger = "198.51.100.53";
  static constexpr const char* kPms = "pms.example.vet";

  NamesTest() {
    ConnectByVeth({host_, "up0", {"10.9.0.1/24", "fd09::1/64"}},
                  {world_,
                   "eth0",
                   {"10.9.0.2/24", "10.9.0.3/24", "10.9.0.4/24", "10.9.0.53/24", "10.9.0.54/24",
                    "198.51.100.53/32", "fd09::2/64", "fd09::53/64", "2001:db8:53::53/128"}});
    host_.Ip("route add default via 10.9.0.2");
    host_.Ip("-6 route add default via fd09::2");
    resolver_ = std::make_unique<DnsServer>(world_, kResolver);
    stranger_ = std::make_unique<DnsServer>(world_, kStranger);
    for (DnsServer* server : {resolver_.get(), stranger_.get()}) {
      server->Says(kPms, {"10.9.0.2", "fd09::2"});
      server->Says("evil.example", {"10.9.0.4"});
    }
    StartAgent();
  }

  void StartAgent(std::vector<std::string> resolvers = {kResolver}) {
    agent_.reset();
    agent_ =
        std::make_unique<IsolatedAgent>(IsolatedAgent::World{.host = host_,
                                                             .folder = folder_.Path(),
                                                             .clock = clock_,
                                                             .resolvers = std::move(resolvers),
                                                             .controller_names = {"controller.example"}});
  }

  static v1::IsolateAction Names(const std::vector<std::string>& names, uint32_t port = 443,
                                 v1::Level level = v1::LEVEL_ESSENTIAL) {
    v1::IsolateAction action =
        WithRule(Isolate(level), v1::DIRECTION_OUT, v1::TRANSPORT_PROTOCOL_TCP, {}, port);
    for (const std::string& name : names) action.mutable_profile()->mutable_allow(0)->add_names(name);
    return action;
  }
  void SetNames(const std::vector<std::string>& names) {
    const auto receipt = agent_->Set(Names(names), ++sequence_);
    ASSERT_TRUE(receipt.ok()) << receipt.status();
    ASSERT_EQ(receipt->containment(), v1::CONTAINMENT_CONTAINED) << receipt->ShortDebugString();
  }

  bool Opens(const std::string& address, uint16_t port = 443) const {
    return TcpArrives(host_, {world_, address, port}, kExpectArrival);
  }
  bool IsShut(const std::string& address, uint16_t port = 443) const {
    return !TcpArrives(host_, {world_, address, port}, kExpectNothing);
  }
  // By a server that the host was never told to ask: whatever asks is led to the guard.
  DnsReply Ask(const std::string& name, uint16_t type = kTypeA, bool tcp = false,
               const std::string& server = kStranger) const {
    return AskDns(host_, {.server = server, .name = name, .type = type, .tcp = tcp});
  }

  NetNamespace host_{"host"};
  NetNamespace world_{"world"};
  TempFolder folder_;
  FakeClock clock_;
  std::unique_ptr<DnsServer> resolver_;
  std::unique_ptr<DnsServer> stranger_;
  std::unique_ptr<IsolatedAgent> agent_;
  uint64_t sequence_ = 0;
};

}  // namespace cordon::testing
