#pragma once

#include <memory>
#include <string>

#include "controller/server/batch_window.h"
#include "controller/server/out_stream.h"
#include "controller/server/server_parts.h"
#include "cordon/v1/gateway.pb.h"

namespace cordon::controller {

// One host's Telemetry stream: its position first, then batches up and acknowledgements down. A batch is
// acknowledged when the store has committed it and not before (TEL-2). While kMaxUncommitted batches of the
// host wait for the store, or its budget is spent, no more are read: flow control holds the host back.
class TelemetryStream final
    : public OutStream<grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>, grpc::ByteBuffer>,
      public std::enable_shared_from_this<TelemetryStream> {
 public:
  static constexpr int kMaxUncommitted = 4;

  TelemetryStream(grpc::CallbackServerContext& context, ServerParts& parts, std::string host_id);

  // Sends the position, then reads. Call once, after the stream was added to LiveStreams.
  void Start();

 private:
  void OnReadDone(bool ok) override;
  void OnTick(int64_t now_boot_nanos) override;
  void SendPosition();  // in a worker
  void OnCommitted(uint64_t first_sequence, const absl::StatusOr<BatchResult>& result);
  void Refuse(uint64_t first_sequence, const std::string& reason);
  bool SendMessage(const v1::TelemetryResponse& message);
  void ReadIfRoom();
  absl::Status CheckChain(const std::string& chain_id, int64_t now_boot_nanos);

  ServerParts& parts_;
  grpc::ByteBuffer received_;  // the one read at a time
  std::string chain_id_;       // the same: of the batch before, or of what is stored

  BatchWindow window_{kMaxUncommitted};
};

}  // namespace cordon::controller
