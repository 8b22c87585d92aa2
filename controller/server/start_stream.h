#pragma once

#include <grpcpp/server_context.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "common/crypto/x509.h"
#include "common/rpc/status.h"
#include "controller/server/server_parts.h"

namespace cordon::controller {

// Makes the stream, gives it to LiveStreams, which owns it from now on, and starts it.
template <typename Stream, typename... Arguments>
Stream* StartStream(grpc::CallbackServerContext& context, ServerParts& parts, Arguments&&... arguments) {
  const auto stream = std::make_shared<Stream>(context, parts, std::forward<Arguments>(arguments)...);
  parts.streams.Add(stream);
  const std::string& host_id = stream->HostId();
  const int64_t now = parts.clock.BootNanos();
  // AUT-6: counted first, since OnEnded gives it back in any case.
  const bool room = host_id.empty() || parts.budgets.OpenStream(host_id, now);
  const absl::Status often = host_id.empty() ? absl::OkStatus() : parts.budgets.MayOpen(host_id, now);
  if (!room) {
    stream->EndNow(
        {grpc::StatusCode::RESOURCE_EXHAUSTED, "this host has too many streams open: end one first"});
  } else if (!often.ok()) {
    stream->EndNow(ToGrpcStatus(often));
  } else {
    stream->Start();
  }
  return stream.get();
}

// Runs `run` of a stream that answers `caller` at length in a reader's thread and ends the stream with what
// it returns. `stream` keeps it alive.
template <typename Stream, typename Run>
void RunInReader(Readers& readers, const Identity& caller, std::shared_ptr<Stream> stream, Run run) {
  const bool accepted = readers.Post(caller.id, [stream, run] { stream->End(ToGrpcStatus(run())); });
  if (accepted) return;
  stream->EndNow({grpc::StatusCode::RESOURCE_EXHAUSTED,
                  "too many event queries and exports at once: end one, or try later"});
}

}  // namespace cordon::controller
