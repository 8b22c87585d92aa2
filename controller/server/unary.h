#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <utility>

#include "common/base/status.h"
#include "common/crypto/x509.h"
#include "common/rpc/status.h"
#include "controller/server/bounds.h"
#include "controller/server/caller.h"
#include "controller/server/workers.h"

namespace cordon::controller {

// Runs `handle(caller)` in a worker and finishes the call with what it returns. Request and response of the
// call live until then, by gRPC's contract. RESOURCE_EXHAUSTED when the caller has too many calls under way.
template <typename Handle>
grpc::ServerUnaryReactor* InWorker(Workers& workers, grpc::CallbackServerContext& context, Handle handle) {
  grpc::ServerUnaryReactor* reactor = context.DefaultReactor();
  const Identity caller = CallerOf(context);
  const bool posted = workers.PostCall(caller.id, [reactor, caller, handle = std::move(handle)] {
    reactor->Finish(ToGrpcStatus(handle(caller)));
  });
  if (!posted) {
    reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED,
                     "too many calls with this certificate at once: wait for their answers"});
  }
  return reactor;
}

// The request that these bytes are, once they are known to be within its bounds (AUT-6). INVALID_ARGUMENT.
template <typename Request>
absl::StatusOr<Request> ReadRequest(const grpc::ByteBuffer& bytes, const RequestBounds& bounds) {
  CORDON_RETURN_IF_ERROR(CheckRequestBytes(*Request::descriptor(), bytes, bounds));
  grpc::ByteBuffer taken = bytes;  // a reference to the same bytes
  Request request;
  if (!grpc::SerializationTraits<Request>::Deserialize(&taken, &request).ok())
    return absl::InvalidArgumentError("the request cannot be read");
  return request;
}

// The same as InWorker for a request that comes as bytes: `handle(caller, request, &response)`.
template <typename Request, typename Response, typename Handle>
grpc::ServerUnaryReactor* InWorkerBounded(Workers& workers, grpc::CallbackServerContext& context,
                                          const RequestBounds& bounds, const grpc::ByteBuffer* bytes,
                                          grpc::ByteBuffer* answer, Handle handle) {
  return InWorker(workers, context, [=](const Identity& caller) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(const Request request, ReadRequest<Request>(*bytes, bounds));
    Response response;
    CORDON_RETURN_IF_ERROR(handle(caller, request, &response));
    bool owned = false;
    return FromGrpcStatus(grpc::SerializationTraits<Response>::Serialize(response, answer, &owned));
  });
}

}  // namespace cordon::controller
