#include "controller/server/telemetry_stream.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/rpc/status.h"
#include "common/wire/batch_codec.h"
#include "controller/server/bounds.h"
#include "controller/server/host_calls.h"
#include "controller/server/unary.h"

namespace cordon::controller {

TelemetryStream::TelemetryStream(grpc::CallbackServerContext& context, ServerParts& parts,
                                 std::string host_id)
    : OutStream(context, parts.streams, std::move(host_id)), parts_(parts) {}

void TelemetryStream::Start() {
  parts_.workers.Post([self = shared_from_this()] { self->SendPosition(); });
}

void TelemetryStream::SendPosition() {
  if (Ended()) return;  // it hung up while it waited for its turn
  absl::StatusOr<v1::TelemetryPosition> position = TelemetryPositionOf(parts_, HostId());
  if (!position.ok()) {
    EndNow(ToGrpcStatus(position.status()));
    return;
  }
  chain_id_ = position->chain_id();
  v1::TelemetryResponse response;
  *response.mutable_position() = *std::move(position);
  SendMessage(response);
  ReadIfRoom();
}

bool TelemetryStream::SendMessage(const v1::TelemetryResponse& message) {
  grpc::ByteBuffer bytes;
  bool owned = false;
  return grpc::SerializationTraits<v1::TelemetryResponse>::Serialize(message, &bytes, &owned).ok() &&
         Send(bytes);
}

void TelemetryStream::ReadIfRoom() {
  if (!window_.MayRead(parts_.clock.BootNanos())) return;
  IfOpen([this] { StartRead(&received_); });
}

void TelemetryStream::OnReadDone(bool ok) {
  if (!ok) {
    if (window_.HalfClosed()) End(grpc::Status::OK);
    return;
  }
  absl::StatusOr<v1::TelemetryRequest> request =
      ReadRequest<v1::TelemetryRequest>(received_, kTelemetryRequest);
  if (!request.ok()) {
    spdlog::warn("host {} is refused: {}", HostId(), Printable(Message(request.status())));
    EndNow(ToGrpcStatus(request.status()));
    return;
  }
  const int64_t now = parts_.clock.BootNanos();
  // By what it unpacks to, which is what it costs: some bytes on the wire can stand for 8 MiB (AUT-6).
  const uint64_t bytes = std::max<uint64_t>(received_.Length(), UnpackedSize(request->batch().payload()));
  received_.Clear();
  const int64_t wait = parts_.budgets.Spend(HostId(), bytes, request->batch().event_count(), now);
  window_.Read(wait > 0 ? now + wait : 0);
  v1::Batch batch = std::move(*request->mutable_batch());
  const bool opens_segment = request->opens_segment();
  if (const absl::Status may = CheckChain(batch.chain_id(), now); !may.ok()) {
    EndNow(ToGrpcStatus(may));
    return;
  }
  const uint64_t first_sequence = batch.first_sequence();
  parts_.batches.Add({{HostId(), std::move(batch), opens_segment},
                      [self = shared_from_this(), first_sequence](const absl::StatusOr<BatchResult>& result) {
                        self->OnCommitted(first_sequence, result);
                      }});
  window_.Queued();
  ReadIfRoom();
}

// A chain that begins anew is a row and an entry in the audit log for good (AUT-6).
absl::Status TelemetryStream::CheckChain(const std::string& chain_id, int64_t now_boot_nanos) {
  if (chain_id == chain_id_) return absl::OkStatus();
  const bool first = chain_id_.empty();
  chain_id_ = chain_id;
  return first ? absl::OkStatus() : parts_.budgets.MayBeginChain(HostId(), now_boot_nanos);
}

void TelemetryStream::OnTick(int64_t now_boot_nanos) {
  if (window_.Tick(now_boot_nanos)) ReadIfRoom();
}

// On the commit thread; nothing here waits.
void TelemetryStream::OnCommitted(uint64_t first_sequence, const absl::StatusOr<BatchResult>& result) {
  if (!result.ok()) {
    EndNow(
        ToGrpcStatus(result.status()));  // the controller's trouble: the host keeps the batch and comes again
    return;
  }
  if (result->verdict == BatchResult::Verdict::kRefused) {
    Refuse(first_sequence, result->reason);
    return;
  }
  v1::TelemetryResponse response;
  response.mutable_acknowledgement()->set_chain_id(result->position.chain_id);
  response.mutable_acknowledgement()->set_first_sequence(result->stored_from);
  response.mutable_acknowledgement()->set_last_sequence(result->stored_to);
  SendMessage(response);
  if (window_.Committed()) {
    End(grpc::Status::OK);
  } else {
    ReadIfRoom();
  }
}

// What is wrong with the batch is said by name (TEL-3).
void TelemetryStream::Refuse(uint64_t first_sequence, const std::string& reason) {
  spdlog::warn("batch {} of host {} is refused: {}", first_sequence, HostId(), Printable(reason));
  v1::TelemetryResponse response;
  response.mutable_refused()->set_first_sequence(first_sequence);
  response.mutable_refused()->set_reason(reason);
  SendMessage(response);
  End({grpc::StatusCode::INVALID_ARGUMENT, reason});
}

}  // namespace cordon::controller
