#pragma once

// gRPC's side of the two services: each call finds its handler here and nothing else happens.

#include "controller/server/server_parts.h"
#include "cordon/v1/gateway.grpc.pb.h"
#include "cordon/v1/operator.grpc.pb.h"

namespace cordon::controller {

// Control is bytes here, so that hosts share what is sent to many of them (control_message.h); Enroll and
// Renew are, so that their size is judged before they are parsed (AUT-6).
class AgentGatewayService final
    : public v1::AgentGateway::WithRawCallbackMethod_Enroll<
          v1::AgentGateway::WithRawCallbackMethod_Renew<v1::AgentGateway::WithRawCallbackMethod_Control<
              v1::AgentGateway::WithCallbackMethod_Telemetry<v1::AgentGateway::Service>>>> {
 public:
  explicit AgentGatewayService(ServerParts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* Enroll(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                   grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* Renew(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                  grpc::ByteBuffer* response) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Control(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<v1::TelemetryRequest, v1::TelemetryResponse>* Telemetry(
      grpc::CallbackServerContext* context) override;

 private:
  ServerParts& parts_;
};

class OperatorService final : public v1::Operator::CallbackService {
 public:
  explicit OperatorService(ServerParts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* GetFleet(grpc::CallbackServerContext* context, const v1::GetFleetRequest* request,
                                     v1::GetFleetResponse* response) override;
  grpc::ServerUnaryReactor* ListHosts(grpc::CallbackServerContext* context,
                                      const v1::ListHostsRequest* request,
                                      v1::ListHostsResponse* response) override;
  grpc::ServerUnaryReactor* RevokeHost(grpc::CallbackServerContext* context,
                                       const v1::RevokeHostRequest* request,
                                       v1::RevokeHostResponse* response) override;
  grpc::ServerUnaryReactor* CreateEnrollment(grpc::CallbackServerContext* context,
                                             const v1::CreateEnrollmentRequest* request,
                                             v1::CreateEnrollmentResponse* response) override;
  grpc::ServerUnaryReactor* ListEnrollments(grpc::CallbackServerContext* context,
                                            const v1::ListEnrollmentsRequest* request,
                                            v1::ListEnrollmentsResponse* response) override;
  grpc::ServerUnaryReactor* RevokeEnrollment(grpc::CallbackServerContext* context,
                                             const v1::RevokeEnrollmentRequest* request,
                                             v1::RevokeEnrollmentResponse* response) override;
  grpc::ServerUnaryReactor* SubmitOrder(grpc::CallbackServerContext* context,
                                        const v1::SubmitOrderRequest* request,
                                        v1::SubmitOrderResponse* response) override;
  grpc::ServerUnaryReactor* ApproveOrder(grpc::CallbackServerContext* context,
                                         const v1::ApproveOrderRequest* request,
                                         v1::ApproveOrderResponse* response) override;
  grpc::ServerUnaryReactor* WithdrawOrder(grpc::CallbackServerContext* context,
                                          const v1::WithdrawOrderRequest* request,
                                          v1::WithdrawOrderResponse* response) override;
  grpc::ServerUnaryReactor* GetTrustHistory(grpc::CallbackServerContext* context,
                                            const v1::GetTrustHistoryRequest* request,
                                            v1::GetTrustHistoryResponse* response) override;
  grpc::ServerUnaryReactor* IssueOperatorCertificate(grpc::CallbackServerContext* context,
                                                     const v1::IssueOperatorCertificateRequest* request,
                                                     v1::IssueOperatorCertificateResponse* response) override;
  grpc::ServerUnaryReactor* ListOrders(grpc::CallbackServerContext* context,
                                       const v1::ListOrdersRequest* request,
                                       v1::ListOrdersResponse* response) override;
  grpc::ServerUnaryReactor* GetOrder(grpc::CallbackServerContext* context, const v1::GetOrderRequest* request,
                                     v1::GetOrderResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchOrderResponse>* WatchOrder(grpc::CallbackServerContext* context,
                                                               const v1::WatchOrderRequest* request) override;
  grpc::ServerWriteReactor<v1::QueryEventsResponse>* QueryEvents(
      grpc::CallbackServerContext* context, const v1::QueryEventsRequest* request) override;
  grpc::ServerWriteReactor<v1::PollHealthResponse>* PollHealth(grpc::CallbackServerContext* context,
                                                               const v1::PollHealthRequest* request) override;
  grpc::ServerWriteReactor<v1::RehearseResponse>* Rehearse(grpc::CallbackServerContext* context,
                                                           const v1::RehearseRequest* request) override;
  grpc::ServerWriteReactor<v1::ExportAuditResponse>* ExportAudit(
      grpc::CallbackServerContext* context, const v1::ExportAuditRequest* request) override;
  grpc::ServerUnaryReactor* ListAudit(grpc::CallbackServerContext* context,
                                      const v1::ListAuditRequest* request,
                                      v1::ListAuditResponse* response) override;

 private:
  ServerParts& parts_;
};

}  // namespace cordon::controller
