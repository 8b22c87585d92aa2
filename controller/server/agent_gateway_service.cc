#include "controller/server/caller.h"
#include "controller/server/control_stream.h"
#include "controller/server/host_calls.h"
#include "controller/server/services.h"
#include "controller/server/start_stream.h"
#include "controller/server/telemetry_stream.h"
#include "controller/server/unary.h"

namespace cordon::controller {

grpc::ServerUnaryReactor* AgentGatewayService::Enroll(grpc::CallbackServerContext* context,
                                                      const v1::EnrollRequest* request,
                                                      v1::EnrollResponse* response) {
  return InWorker(parts_.workers, *context, [this, request, response](const Identity& caller) {
    return controller::Enroll(parts_, caller, *request, response);
  });
}

grpc::ServerUnaryReactor* AgentGatewayService::Renew(grpc::CallbackServerContext* context,
                                                     const v1::RenewRequest* request,
                                                     v1::RenewResponse* response) {
  return InWorker(parts_.workers, *context, [this, request, response](const Identity& caller) {
    return controller::Renew(parts_, caller, *request, response);
  });
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* AgentGatewayService::Control(
    grpc::CallbackServerContext* context) {
  return StartStream<ControlStream>(*context, parts_, CallerOf(*context).id);
}

grpc::ServerBidiReactor<v1::TelemetryRequest, v1::TelemetryResponse>* AgentGatewayService::Telemetry(
    grpc::CallbackServerContext* context) {
  return StartStream<TelemetryStream>(*context, parts_, CallerOf(*context).id);
}

}  // namespace cordon::controller
