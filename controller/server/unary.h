#pragma once

#include <absl/status/status.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <utility>

#include "common/crypto/x509.h"
#include "common/rpc/status.h"
#include "controller/server/caller.h"
#include "controller/server/workers.h"

namespace cordon::controller {

// Runs `handle(caller)` in a worker and finishes the call with what it returns. Request and response of the
// call live until then, by gRPC's contract.
template <typename Handle>
grpc::ServerUnaryReactor* InWorker(Workers& workers, grpc::CallbackServerContext& context, Handle handle) {
  grpc::ServerUnaryReactor* reactor = context.DefaultReactor();
  workers.Post([reactor, caller = CallerOf(context), handle = std::move(handle)] {
    reactor->Finish(ToGrpcStatus(handle(caller)));
  });
  return reactor;
}

}  // namespace cordon::controller
