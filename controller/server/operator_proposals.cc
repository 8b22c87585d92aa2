#include <spdlog/spdlog.h>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/crypto/ed25519.h"
#include "common/wire/order.h"
#include "common/wire/trust.h"
#include "controller/server/authorize.h"
#include "controller/server/operator_calls.h"

namespace cordon::controller {
namespace {

constexpr size_t kMaxReason = 1'000;

absl::Status CheckApprove(const v1::ApproveOrderRequest& request) {
  if (!IsUuid(request.order_id())) return absl::InvalidArgumentError("order_id is not a UUID");
  if (!IsUuid(request.signature().operator_id())) {
    return absl::InvalidArgumentError("signature.operator_id is not a UUID");
  }
  if (request.signature().ed25519().size() != kEd25519SignatureBytes) {
    return absl::InvalidArgumentError(StrCat("signature.ed25519 is not ", kEd25519SignatureBytes, " bytes"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ApproveOrder(ServerParts& parts, const Identity& caller, const v1::ApproveOrderRequest& request,
                          v1::ApproveOrderResponse* response) {
  CORDON_RETURN_IF_ERROR(CheckApprove(request));
  const std::lock_guard in_turn(parts.release_mutex);
  CORDON_ASSIGN_OR_RETURN(
      const SubmittedOrder approved,
      parts.store.ApproveOrder(request.order_id(), request.signature(),
                               {ActorName(caller), "order.approve", request.order_id(),
                                StrCat("signature of operator/", request.signature().operator_id())}));
  response->set_hosts(static_cast<uint32_t>(approved.host_ids.size()));
  response->set_signatures(approved.signatures);
  response->set_signatures_needed(approved.signatures_needed);
  spdlog::info("proposal {} signed by operator {}: {} of {} signatures", request.order_id(),
               request.signature().operator_id(), approved.signatures, approved.signatures_needed);
  if (approved.proposal == v1::PROPOSAL_STATE_COMPLETED) SendToHosts(parts, request.order_id(), approved);
  return absl::OkStatus();
}

absl::Status WithdrawOrder(ServerParts& parts, const Identity& caller,
                           const v1::WithdrawOrderRequest& request) {
  if (!IsUuid(request.order_id())) return absl::InvalidArgumentError("order_id is not a UUID");
  if (request.reason().empty() || request.reason().size() > kMaxReason) {
    return absl::InvalidArgumentError(
        StrCat("reason: ", request.reason().size(), " bytes, must be 1 to ", kMaxReason));
  }
  CORDON_ASSIGN_OR_RETURN(const OrderRecord record, parts.store.GetOrder(request.order_id()));
  v1::Order order;
  if (!order.ParseFromString(record.signed_order.order()))
    return absl::DataLossError("a stored order is damaged");
  // Who may sign it may end it.
  for (const v1::TrustedOperator::Role role : RolesFor(order)) {
    CORDON_RETURN_IF_ERROR(CheckCallerMay(parts, caller, role));
  }
  return parts.store.WithdrawOrder(request.order_id(), {ActorName(caller), "order.withdraw",
                                                        request.order_id(), Printable(request.reason())});
}

}  // namespace cordon::controller
