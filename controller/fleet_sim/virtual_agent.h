#pragma once

// One virtual agent: a Control stream of its own, over a connection and a certificate of its own. It takes
// orders at their word, does nothing, and says so: its receipts are `open`, with the reason that it is
// simulated.

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "common/crypto/key.h"
#include "common/rpc/tls.h"
#include "cordon/v1/gateway.grpc.pb.h"

namespace cordon::fleet_sim {

// What all agents of a run have seen together.
struct Counters {
  std::atomic<uint32_t> connected{0};
  std::atomic<uint32_t> ended{0};  // streams that the controller or the network ended
  std::atomic<uint64_t> orders{0};
  std::atomic<uint64_t> polls{0};
  std::atomic<uint64_t> beats{0};
};

struct AgentIdentity {
  std::string host_id;
  std::string name;
  std::string fleet_id;
  TlsIdentity tls;
};

// Thread-safe. Destroy it only after Stop() and Wait().
class VirtualAgent final : public grpc::ClientBidiReactor<v1::ControlRequest, v1::ControlResponse> {
 public:
  // `counters` outlives the agent.
  VirtualAgent(AgentIdentity identity, const std::string& controller, Counters& counters);

  void Start();
  // A heartbeat, when the stream is up.
  void Beat();
  void Stop();
  void Wait();

 private:
  void OnWriteDone(bool ok) override;
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  void Answer(const v1::ControlResponse& message);
  void AnswerOrder(const v1::SignedOrder& signed_order);
  v1::Receipt Receipt(const v1::Order* order) const;
  void Send(v1::ControlRequest request);
  void WriteFirst();  // with mutex_ held

  const AgentIdentity identity_;
  const KeyPtr key_;
  Counters& counters_;
  std::unique_ptr<v1::AgentGateway::Stub> stub_;
  grpc::ClientContext context_;
  v1::ControlResponse incoming_;

  std::mutex mutex_;
  std::condition_variable done_changed_;
  std::deque<v1::ControlRequest> outgoing_;  // the first one is being written
  bool welcomed_ = false;
  bool stopped_ = false;
  bool closed_ = false;  // nothing more is written
  bool done_ = false;
  uint64_t last_beat_ = 0;
};

}  // namespace cordon::fleet_sim
