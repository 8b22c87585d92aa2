#include "controller/server/bounds.h"
#include "controller/server/caller.h"
#include "controller/server/control_stream.h"
#include "controller/server/host_calls.h"
#include "controller/server/services.h"
#include "controller/server/start_stream.h"
#include "controller/server/telemetry_stream.h"
#include "controller/server/unary.h"

namespace cordon::controller {

grpc::ServerUnaryReactor* AgentGatewayService::Enroll(grpc::CallbackServerContext* context,
                                                      const grpc::ByteBuffer* request,
                                                      grpc::ByteBuffer* response) {
  const auto enroll = [this](const Identity& caller, const v1::EnrollRequest& asked,
                             v1::EnrollResponse* answer) {
    return controller::Enroll(parts_, caller, asked, answer);
  };
  return InWorkerBounded<v1::EnrollRequest, v1::EnrollResponse>(parts_.workers, *context, kHostRequest,
                                                                request, response, enroll);
}

grpc::ServerUnaryReactor* AgentGatewayService::Renew(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request,
                                                     grpc::ByteBuffer* response) {
  const auto renew = [this](const Identity& caller, const v1::RenewRequest& asked,
                            v1::RenewResponse* answer) {
    return controller::Renew(parts_, caller, asked, answer);
  };
  return InWorkerBounded<v1::RenewRequest, v1::RenewResponse>(parts_.workers, *context, kHostRequest, request,
                                                              response, renew);
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* AgentGatewayService::Control(
    grpc::CallbackServerContext* context) {
  return StartStream<ControlStream>(*context, parts_, CallerOf(*context).id);
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* AgentGatewayService::Telemetry(
    grpc::CallbackServerContext* context) {
  return StartStream<TelemetryStream>(*context, parts_, CallerOf(*context).id);
}

}  // namespace cordon::controller
