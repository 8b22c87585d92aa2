#include "controller/server/caller.h"
#include "controller/server/export_audit_stream.h"
#include "controller/server/operator_calls.h"
#include "controller/server/poll_health_stream.h"
#include "controller/server/query_events_stream.h"
#include "controller/server/rehearse_stream.h"
#include "controller/server/services.h"
#include "controller/server/start_stream.h"
#include "controller/server/unary.h"
#include "controller/server/watch_order_stream.h"

namespace cordon::controller {

grpc::ServerUnaryReactor* OperatorService::GetFleet(grpc::CallbackServerContext* context,
                                                    const v1::GetFleetRequest* /*request*/,
                                                    v1::GetFleetResponse* response) {
  return InWorker(parts_.operators, *context,
                  [this, response](const Identity& /*caller*/) { return GetFleetInfo(parts_, response); });
}

grpc::ServerUnaryReactor* OperatorService::ListHosts(grpc::CallbackServerContext* context,
                                                     const v1::ListHostsRequest* request,
                                                     v1::ListHostsResponse* response) {
  return InWorker(parts_.operators, *context, [this, request, response](const Identity& /*caller*/) {
    return controller::ListHosts(parts_, *request, response);
  });
}

grpc::ServerUnaryReactor* OperatorService::RevokeHost(grpc::CallbackServerContext* context,
                                                      const v1::RevokeHostRequest* request,
                                                      v1::RevokeHostResponse* /*response*/) {
  return InWorker(parts_.operators, *context, [this, request](const Identity& caller) {
    return controller::RevokeHost(parts_, caller, *request);
  });
}

grpc::ServerUnaryReactor* OperatorService::CreateEnrollment(grpc::CallbackServerContext* context,
                                                            const v1::CreateEnrollmentRequest* request,
                                                            v1::CreateEnrollmentResponse* response) {
  return InWorker(parts_.operators, *context, [this, request, response](const Identity& caller) {
    return controller::CreateEnrollment(parts_, caller, *request, response);
  });
}

grpc::ServerUnaryReactor* OperatorService::ListEnrollments(grpc::CallbackServerContext* context,
                                                           const v1::ListEnrollmentsRequest* /*request*/,
                                                           v1::ListEnrollmentsResponse* response) {
  return InWorker(parts_.operators, *context, [this, response](const Identity& /*caller*/) {
    return controller::ListEnrollments(parts_, response);
  });
}

grpc::ServerUnaryReactor* OperatorService::RevokeEnrollment(grpc::CallbackServerContext* context,
                                                            const v1::RevokeEnrollmentRequest* request,
                                                            v1::RevokeEnrollmentResponse* /*response*/) {
  return InWorker(parts_.operators, *context, [this, request](const Identity& caller) {
    return controller::RevokeEnrollment(parts_, caller, *request);
  });
}

grpc::ServerUnaryReactor* OperatorService::SubmitOrder(grpc::CallbackServerContext* context,
                                                       const v1::SubmitOrderRequest* request,
                                                       v1::SubmitOrderResponse* response) {
  return InWorker(parts_.operators, *context, [this, request, response](const Identity& caller) {
    return controller::SubmitOrder(parts_, caller, *request, response);
  });
}

grpc::ServerUnaryReactor* OperatorService::ApproveOrder(grpc::CallbackServerContext* context,
                                                        const v1::ApproveOrderRequest* request,
                                                        v1::ApproveOrderResponse* response) {
  return InWorker(parts_.operators, *context, [this, request, response](const Identity& caller) {
    return controller::ApproveOrder(parts_, caller, *request, response);
  });
}

grpc::ServerUnaryReactor* OperatorService::WithdrawOrder(grpc::CallbackServerContext* context,
                                                         const v1::WithdrawOrderRequest* request,
                                                         v1::WithdrawOrderResponse* /*response*/) {
  return InWorker(parts_.operators, *context, [this, request](const Identity& caller) {
    return controller::WithdrawOrder(parts_, caller, *request);
  });
}

grpc::ServerUnaryReactor* OperatorService::GetTrustHistory(grpc::CallbackServerContext* context,
                                                           const v1::GetTrustHistoryRequest* request,
                                                           v1::GetTrustHistoryResponse* response) {
  return InWorker(parts_.operators, *context, [this, request, response](const Identity& /*caller*/) {
    return controller::GetTrustHistory(parts_, *request, response);
  });
}

grpc::ServerUnaryReactor* OperatorService::IssueOperatorCertificate(
    grpc::CallbackServerContext* context, const v1::IssueOperatorCertificateRequest* request,
    v1::IssueOperatorCertificateResponse* response) {
  return InWorker(parts_.operators, *context, [this, request, response](const Identity& caller) {
    return controller::IssueOperatorCertificate(parts_, caller, *request, response);
  });
}

grpc::ServerUnaryReactor* OperatorService::ListOrders(grpc::CallbackServerContext* context,
                                                      const v1::ListOrdersRequest* request,
                                                      v1::ListOrdersResponse* response) {
  return InWorker(parts_.operators, *context, [this, request, response](const Identity& /*caller*/) {
    return controller::ListOrders(parts_, *request, response);
  });
}

grpc::ServerUnaryReactor* OperatorService::GetOrder(grpc::CallbackServerContext* context,
                                                    const v1::GetOrderRequest* request,
                                                    v1::GetOrderResponse* response) {
  return InWorker(parts_.operators, *context, [this, request, response](const Identity& /*caller*/) {
    return controller::GetOrder(parts_, *request, response);
  });
}

grpc::ServerWriteReactor<v1::WatchOrderResponse>* OperatorService::WatchOrder(
    grpc::CallbackServerContext* context, const v1::WatchOrderRequest* request) {
  return StartStream<WatchOrderStream>(*context, parts_, request->order_id());
}

grpc::ServerWriteReactor<v1::QueryEventsResponse>* OperatorService::QueryEvents(
    grpc::CallbackServerContext* context, const v1::QueryEventsRequest* request) {
  return StartStream<QueryEventsStream>(*context, parts_, CallerOf(*context), *request);
}

grpc::ServerWriteReactor<v1::PollHealthResponse>* OperatorService::PollHealth(
    grpc::CallbackServerContext* context, const v1::PollHealthRequest* request) {
  return StartStream<PollHealthStream>(*context, parts_, CallerOf(*context), *request);
}

grpc::ServerWriteReactor<v1::RehearseResponse>* OperatorService::Rehearse(
    grpc::CallbackServerContext* context, const v1::RehearseRequest* request) {
  return StartStream<RehearseStream>(*context, parts_, CallerOf(*context), *request);
}

grpc::ServerWriteReactor<v1::ExportAuditResponse>* OperatorService::ExportAudit(
    grpc::CallbackServerContext* context, const v1::ExportAuditRequest* request) {
  return StartStream<ExportAuditStream>(*context, parts_, CallerOf(*context), request->from_index());
}

grpc::ServerUnaryReactor* OperatorService::ListAudit(grpc::CallbackServerContext* context,
                                                     const v1::ListAuditRequest* request,
                                                     v1::ListAuditResponse* response) {
  return InWorker(parts_.operators, *context, [this, request, response](const Identity& caller) {
    return controller::ListAudit(parts_, caller, *request, response);
  });
}

}  // namespace cordon::controller
