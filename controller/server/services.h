#pragma once

// gRPC's side of the two services: each call finds its handler here and nothing else happens.

#include "controller/server/server_parts.h"
#include "cordon/v1/gateway.grpc.pb.h"
#include "cordon/v1/operator.grpc.pb.h"

namespace cordon::controller {

// All calls are bytes here, so that what comes is judged before it is parsed (AUT-6); of Control also so that
// hosts share what is sent to many of them (control_message.h).
class AgentGatewayService final
    : public v1::AgentGateway::WithRawCallbackMethod_Enroll<
          v1::AgentGateway::WithRawCallbackMethod_Renew<v1::AgentGateway::WithRawCallbackMethod_Control<
              v1::AgentGateway::WithRawCallbackMethod_Telemetry<v1::AgentGateway::Service>>>> {
 public:
  explicit AgentGatewayService(ServerParts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* Enroll(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                   grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* Renew(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                  grpc::ByteBuffer* response) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Control(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Telemetry(
      grpc::CallbackServerContext* context) override;

 private:
  ServerParts& parts_;
};

// All of an operator's calls are bytes here, for the same reason: 5 MiB of empty parts would be some hundred
// in memory.
using OperatorHostCalls =
    v1::Operator::WithRawCallbackMethod_GetFleet<v1::Operator::WithRawCallbackMethod_ListHosts<
        v1::Operator::WithRawCallbackMethod_RevokeHost<v1::Operator::WithRawCallbackMethod_CreateEnrollment<
            v1::Operator::WithRawCallbackMethod_ListEnrollments<
                v1::Operator::WithRawCallbackMethod_RevokeEnrollment<v1::Operator::Service>>>>>>;
using OperatorOrderCalls =
    v1::Operator::WithRawCallbackMethod_SubmitOrder<v1::Operator::WithRawCallbackMethod_ApproveOrder<
        v1::Operator::WithRawCallbackMethod_WithdrawOrder<v1::Operator::WithRawCallbackMethod_GetTrustHistory<
            v1::Operator::WithRawCallbackMethod_IssueOperatorCertificate<
                v1::Operator::WithRawCallbackMethod_ListOrders<
                    v1::Operator::WithRawCallbackMethod_GetOrder<OperatorHostCalls>>>>>>>;
using OperatorAnswerCalls = v1::Operator::WithRawCallbackMethod_WatchOrder<
    v1::Operator::WithRawCallbackMethod_QueryEvents<v1::Operator::WithRawCallbackMethod_PollHealth<
        v1::Operator::WithRawCallbackMethod_Rehearse<v1::Operator::WithRawCallbackMethod_ExportAudit<
            v1::Operator::WithRawCallbackMethod_ListAudit<OperatorOrderCalls>>>>>>;

class OperatorService final : public OperatorAnswerCalls {
 public:
  explicit OperatorService(ServerParts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* GetFleet(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListHosts(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* RevokeHost(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* CreateEnrollment(grpc::CallbackServerContext* context,
                                             const grpc::ByteBuffer* request,
                                             grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListEnrollments(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* request,
                                            grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* RevokeEnrollment(grpc::CallbackServerContext* context,
                                             const grpc::ByteBuffer* request,
                                             grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* SubmitOrder(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ApproveOrder(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* WithdrawOrder(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetTrustHistory(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* request,
                                            grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* IssueOperatorCertificate(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request,
                                                     grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListOrders(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetOrder(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchOrder(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* QueryEvents(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* PollHealth(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Rehearse(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* request) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* ExportAudit(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* ListAudit(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;

 private:
  ServerParts& parts_;
};

}  // namespace cordon::controller
