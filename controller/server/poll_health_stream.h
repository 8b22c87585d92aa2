#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/crypto/x509.h"
#include "controller/server/feeds.h"
#include "controller/server/out_stream.h"
#include "controller/server/server_parts.h"
#include "cordon/v1/operator.pb.h"

namespace cordon::controller {

// A round trip to each host of the target: one message per host, as it answers or when it cannot any more.
class PollHealthStream final
    : public OutStream<grpc::ServerWriteReactor<v1::PollHealthResponse>, v1::PollHealthResponse>,
      public HealthListener,
      public std::enable_shared_from_this<PollHealthStream> {
 public:
  PollHealthStream(grpc::CallbackServerContext& context, ServerParts& parts, Identity caller,
                   v1::PollHealthRequest request);

  // Call once, after the stream was added to LiveStreams.
  void Start();

  void OnHealth(const std::string& host_id, const v1::HealthReport& report) override;

 private:
  void Ask();  // in a worker
  void OnTick(int64_t now_boot_nanos) override;
  void OnDrained() override;

  void SendSome();

  ServerParts& parts_;
  const Identity caller_;
  const v1::PollHealthRequest request_;

  std::mutex mutex_;
  int64_t asked_boot_nanos_ = 0;  // 0: not asked yet
  int64_t timeout_nanos_ = 0;
  std::map<std::string, v1::Host> waiting_;  // asked, no answer yet
  std::vector<v1::PollHealthResponse> to_send_;
  bool sending_ = false;  // messages are queued; OnDrained comes when they are gone
  uint32_t hosts_ = 0;
};

}  // namespace cordon::controller
