#include "common/wire/host_report.h"

#include <string_view>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/uuid.h"

namespace cordon {
namespace {

absl::Status CheckSize(std::string_view what, size_t bytes, size_t max_bytes) {
  if (bytes <= max_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat(what, " has ", bytes, " bytes, more than ", max_bytes));
}

}  // namespace

absl::Status CheckReceipt(const v1::Receipt& receipt) {
  return CheckSize("a receipt", receipt.ByteSizeLong(), kMaxReceiptBytes);
}

absl::Status CheckOutcome(const v1::OrderOutcome& outcome) {
  if (!IsUuid(outcome.order_id())) return absl::InvalidArgumentError("outcome.order_id is not a UUID");
  if (!v1::OrderOutcome::State_IsValid(outcome.state()) ||
      outcome.state() <= v1::OrderOutcome::STATE_DELIVERED) {
    return absl::InvalidArgumentError(
        StrCat("outcome.state ", static_cast<int>(outcome.state()), " is not one that a host can report"));
  }
  CORDON_RETURN_IF_ERROR(CheckReceipt(outcome.receipt()));
  return CheckSize("an outcome", outcome.ByteSizeLong(), kMaxOutcomeBytes);
}

}  // namespace cordon
