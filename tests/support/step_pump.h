#pragma once

// Packets that flow without a pause while the rules change step by step. Each packet knows the step during
// which it was sent, so that what must arrive, and what must not, can be told for every single one.

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "platform/linux/system/fd.h"
#include "tests/support/net_namespace.h"
#include "tests/support/traffic.h"

namespace cordon::testing {

class StepPump {
 public:
  enum class Verdict { kMustArrive, kMustNotArrive, kEither };

  struct FlowSpec {
    std::string name;
    const NetNamespace& from;
    const NetNamespace& to;
    std::string address;  // of `to`
    uint16_t port = 0;
    bool tcp = false;  // segments of TCP by raw sockets: a connection would send again what was dropped
    std::optional<Frame> frame = std::nullopt;  // datagrams by a packet socket, past the IP stack of `from`
  };

  struct Count {
    uint64_t had_to_arrive = 0;
    uint64_t lost = 0;
    uint64_t had_to_be_stopped = 0;
    uint64_t leaked = 0;
    uint64_t not_received =
        0;  // by the receiver of the test itself, which was too slow: then `lost` says nothing
    std::string first_failure;
  };

  explicit StepPump(const std::vector<FlowSpec>& flows);
  StepPump(const StepPump&) = delete;
  StepPump& operator=(const StepPump&) = delete;
  ~StepPump();

  // Call right before each change. Packets sent from here to the next call belong to the new step; those that
  // cannot be told apart are judged by nobody.
  void NextStep() { step_.fetch_add(1); }

  // Until each flow has sent a packet that belongs wholly to the time since the last NextStep.
  void AwaitARound() const;

  // Ends it, and judges: `verdict(flow, step)` for a flow's place in the list; step 0 is before the first
  // NextStep.
  std::vector<Count> Stop(const std::function<Verdict(size_t flow, int step)>& verdict);

 private:
  struct Flow {
    std::string name;
    bool tcp = false;
    uint16_t port = 0;
    std::string address;
    std::optional<Frame> frame;
    int interface = 0;  // of the frame
    platform::Fd from;  // connected, but for a packet socket
    platform::Fd to;
    std::vector<int> steps;         // of each packet sent, kUntold where it is not known
    std::vector<uint64_t> arrived;  // their numbers
    uint32_t not_received = 0;
  };
  static constexpr int kUntold = -1;

  void Send();
  void SendOne(Flow* flow);
  static ssize_t SendNumber(const Flow& flow, uint64_t number);
  void Receive();
  static void TakeAll(Flow* flow);
  static Count Judge(const Flow& flow, const std::function<Verdict(int step)>& verdict);

  std::deque<Flow> flows_;
  std::atomic<int> step_ = 0;
  std::atomic<uint64_t> rounds_ = 0;  // that have begun
  std::atomic<bool> sending_ = true;
  std::atomic<bool> receiving_ = true;
  std::thread sender_;
  std::thread receiver_;
};

}  // namespace cordon::testing
