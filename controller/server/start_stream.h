#pragma once

#include <grpcpp/server_context.h>

#include <memory>
#include <utility>

#include "controller/server/server_parts.h"

namespace cordon::controller {

// Makes the stream, gives it to LiveStreams, which owns it from now on, and starts it.
template <typename Stream, typename... Arguments>
Stream* StartStream(grpc::CallbackServerContext& context, ServerParts& parts, Arguments&&... arguments) {
  const auto stream = std::make_shared<Stream>(context, parts, std::forward<Arguments>(arguments)...);
  parts.streams.Add(stream);
  const bool within =
      stream->HostId().empty() || parts.budgets.OpenStream(stream->HostId(), parts.clock.BootNanos());
  if (within) {
    stream->Start();
  } else {
    stream->EndNow(
        {grpc::StatusCode::RESOURCE_EXHAUSTED, "this host has too many streams open: end one first"});
  }
  return stream.get();
}

}  // namespace cordon::controller
