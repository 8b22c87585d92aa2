#pragma once

#include <grpcpp/server_context.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "common/base/strings.h"
#include "common/crypto/x509.h"
#include "common/rpc/status.h"
#include "controller/server/caller.h"
#include "controller/server/server_parts.h"

namespace cordon::controller {

// Makes the stream, gives it to LiveStreams, which owns it from now on, and starts it.
template <typename Stream, typename... Arguments>
Stream* StartStream(grpc::CallbackServerContext& context, ServerParts& parts, Arguments&&... arguments) {
  const auto stream = std::make_shared<Stream>(context, parts, std::forward<Arguments>(arguments)...);
  const bool of_host = !stream->HostId().empty();
  // AUT-6: by identity, on however many connections. Counted before anything else, since it is given back in
  // any case.
  const std::string who = of_host ? stream->HostId() : CallerOf(context).id;
  Budgets& budgets = of_host ? parts.budgets : parts.operator_budgets;
  const int64_t now = parts.clock.BootNanos();
  const bool room = budgets.OpenStream(who, now);
  stream->WhenDone([&budgets, who] { budgets.CloseStream(who); });
  parts.streams.Add(stream);
  const absl::Status often = of_host ? budgets.MayOpen(who, now) : absl::OkStatus();
  if (!room) {
    stream->EndNow({grpc::StatusCode::RESOURCE_EXHAUSTED,
                    of_host ? "this host has too many streams open: end one first"
                            : StrCat("operator ", who,
                                     " has too many streams open, on all connections together: end a watch, "
                                     "a poll or a follow first")});
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
