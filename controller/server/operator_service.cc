#include <utility>

#include "controller/server/answer_stream.h"
#include "controller/server/bounds.h"
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
namespace {

using UnaryReactor = grpc::ServerUnaryReactor;
using StreamReactor = grpc::ServerWriteReactor<grpc::ByteBuffer>;

// Starts `start(request)` with what the bytes say, or ends the call at once.
template <typename Request, typename Start>
StreamReactor* StartBounded(const RequestBounds& bounds, const grpc::ByteBuffer& bytes, Start start) {
  absl::StatusOr<Request> request = ReadRequest<Request>(bytes, bounds);
  if (!request.ok()) return new RefusedStream(ToGrpcStatus(request.status()));
  return start(*std::move(request));
}

}  // namespace

UnaryReactor* OperatorService::GetFleet(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) {
  const auto handle = [this](const Identity& /*caller*/, const v1::GetFleetRequest& /*asked*/,
                             v1::GetFleetResponse* answer) { return GetFleetInfo(parts_, answer); };
  return InWorkerBounded<v1::GetFleetRequest, v1::GetFleetResponse>(parts_.operators, *context, kSmallRequest,
                                                                    request, response, handle);
}

UnaryReactor* OperatorService::ListHosts(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  const auto handle = [this](const Identity& /*caller*/, const v1::ListHostsRequest& asked,
                             v1::ListHostsResponse* answer) {
    return controller::ListHosts(parts_, asked, answer);
  };
  return InWorkerBounded<v1::ListHostsRequest, v1::ListHostsResponse>(
      parts_.operators, *context, kTargetRequest, request, response, handle);
}

UnaryReactor* OperatorService::RevokeHost(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  const auto handle = [this](const Identity& caller, const v1::RevokeHostRequest& asked,
                             v1::RevokeHostResponse* /*answer*/) {
    return controller::RevokeHost(parts_, caller, asked);
  };
  return InWorkerBounded<v1::RevokeHostRequest, v1::RevokeHostResponse>(
      parts_.operators, *context, kSmallRequest, request, response, handle);
}

UnaryReactor* OperatorService::CreateEnrollment(grpc::CallbackServerContext* context,
                                                const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  const auto handle = [this](const Identity& caller, const v1::CreateEnrollmentRequest& asked,
                             v1::CreateEnrollmentResponse* answer) {
    return controller::CreateEnrollment(parts_, caller, asked, answer);
  };
  return InWorkerBounded<v1::CreateEnrollmentRequest, v1::CreateEnrollmentResponse>(
      parts_.operators, *context, kSmallRequest, request, response, handle);
}

UnaryReactor* OperatorService::ListEnrollments(grpc::CallbackServerContext* context,
                                               const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  const auto handle = [this](const Identity& /*caller*/, const v1::ListEnrollmentsRequest& /*asked*/,
                             v1::ListEnrollmentsResponse* answer) {
    return controller::ListEnrollments(parts_, answer);
  };
  return InWorkerBounded<v1::ListEnrollmentsRequest, v1::ListEnrollmentsResponse>(
      parts_.operators, *context, kSmallRequest, request, response, handle);
}

UnaryReactor* OperatorService::RevokeEnrollment(grpc::CallbackServerContext* context,
                                                const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  const auto handle = [this](const Identity& caller, const v1::RevokeEnrollmentRequest& asked,
                             v1::RevokeEnrollmentResponse* /*answer*/) {
    return controller::RevokeEnrollment(parts_, caller, asked);
  };
  return InWorkerBounded<v1::RevokeEnrollmentRequest, v1::RevokeEnrollmentResponse>(
      parts_.operators, *context, kSmallRequest, request, response, handle);
}

UnaryReactor* OperatorService::SubmitOrder(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  const auto handle = [this](const Identity& caller, const v1::SubmitOrderRequest& asked,
                             v1::SubmitOrderResponse* answer) {
    return controller::SubmitOrder(parts_, caller, asked, answer);
  };
  return InWorkerBounded<v1::SubmitOrderRequest, v1::SubmitOrderResponse>(
      parts_.operators, *context, kOrderRequest, request, response, handle);
}

UnaryReactor* OperatorService::ApproveOrder(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  const auto handle = [this](const Identity& caller, const v1::ApproveOrderRequest& asked,
                             v1::ApproveOrderResponse* answer) {
    return controller::ApproveOrder(parts_, caller, asked, answer);
  };
  return InWorkerBounded<v1::ApproveOrderRequest, v1::ApproveOrderResponse>(
      parts_.operators, *context, kSmallRequest, request, response, handle);
}

UnaryReactor* OperatorService::WithdrawOrder(grpc::CallbackServerContext* context,
                                             const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  const auto handle = [this](const Identity& caller, const v1::WithdrawOrderRequest& asked,
                             v1::WithdrawOrderResponse* /*answer*/) {
    return controller::WithdrawOrder(parts_, caller, asked);
  };
  return InWorkerBounded<v1::WithdrawOrderRequest, v1::WithdrawOrderResponse>(
      parts_.operators, *context, kSmallRequest, request, response, handle);
}

UnaryReactor* OperatorService::GetTrustHistory(grpc::CallbackServerContext* context,
                                               const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  const auto handle = [this](const Identity& /*caller*/, const v1::GetTrustHistoryRequest& asked,
                             v1::GetTrustHistoryResponse* answer) {
    return controller::GetTrustHistory(parts_, asked, answer);
  };
  return InWorkerBounded<v1::GetTrustHistoryRequest, v1::GetTrustHistoryResponse>(
      parts_.operators, *context, kSmallRequest, request, response, handle);
}

UnaryReactor* OperatorService::IssueOperatorCertificate(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request,
                                                        grpc::ByteBuffer* response) {
  const auto handle = [this](const Identity& caller, const v1::IssueOperatorCertificateRequest& asked,
                             v1::IssueOperatorCertificateResponse* answer) {
    return controller::IssueOperatorCertificate(parts_, caller, asked, answer);
  };
  return InWorkerBounded<v1::IssueOperatorCertificateRequest, v1::IssueOperatorCertificateResponse>(
      parts_.operators, *context, kSmallRequest, request, response, handle);
}

UnaryReactor* OperatorService::ListOrders(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  const auto handle = [this](const Identity& /*caller*/, const v1::ListOrdersRequest& asked,
                             v1::ListOrdersResponse* answer) {
    return controller::ListOrders(parts_, asked, answer);
  };
  return InWorkerBounded<v1::ListOrdersRequest, v1::ListOrdersResponse>(
      parts_.operators, *context, kSmallRequest, request, response, handle);
}

UnaryReactor* OperatorService::GetOrder(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) {
  const auto handle = [this](const Identity& /*caller*/, const v1::GetOrderRequest& asked,
                             v1::GetOrderResponse* answer) {
    return controller::GetOrder(parts_, asked, answer);
  };
  return InWorkerBounded<v1::GetOrderRequest, v1::GetOrderResponse>(parts_.operators, *context, kSmallRequest,
                                                                    request, response, handle);
}

StreamReactor* OperatorService::WatchOrder(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* request) {
  return StartBounded<v1::WatchOrderRequest>(
      kSmallRequest, *request, [&](const v1::WatchOrderRequest& asked) {
        return StartStream<WatchOrderStream>(*context, parts_, asked.order_id());
      });
}

StreamReactor* OperatorService::QueryEvents(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* request) {
  return StartBounded<v1::QueryEventsRequest>(kTargetRequest, *request, [&](v1::QueryEventsRequest&& asked) {
    return StartStream<QueryEventsStream>(*context, parts_, CallerOf(*context), std::move(asked));
  });
}

StreamReactor* OperatorService::PollHealth(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* request) {
  return StartBounded<v1::PollHealthRequest>(kTargetRequest, *request, [&](v1::PollHealthRequest&& asked) {
    return StartStream<PollHealthStream>(*context, parts_, CallerOf(*context), std::move(asked));
  });
}

StreamReactor* OperatorService::Rehearse(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request) {
  return StartBounded<v1::RehearseRequest>(kTargetRequest, *request, [&](v1::RehearseRequest&& asked) {
    return StartStream<RehearseStream>(*context, parts_, CallerOf(*context), std::move(asked));
  });
}

StreamReactor* OperatorService::ExportAudit(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* request) {
  return StartBounded<v1::ExportAuditRequest>(
      kSmallRequest, *request, [&](const v1::ExportAuditRequest& asked) {
        return StartStream<ExportAuditStream>(*context, parts_, CallerOf(*context), asked.from_index());
      });
}

UnaryReactor* OperatorService::ListAudit(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  const auto handle = [this](const Identity& caller, const v1::ListAuditRequest& asked,
                             v1::ListAuditResponse* answer) {
    return controller::ListAudit(parts_, caller, asked, answer);
  };
  return InWorkerBounded<v1::ListAuditRequest, v1::ListAuditResponse>(
      parts_.operators, *context, kSmallRequest, request, response, handle);
}

}  // namespace cordon::controller
