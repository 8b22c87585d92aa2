#pragma once

// The second person's part in a dangerous order (AUT-3): look at what was proposed, and sign it or end it.

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "controller/cordonctl/tool.h"

namespace cordon::ctl {

struct ApproveOptions {
  std::string timeout;  // --timeout
  bool wait = false;    // --wait
  bool yes = false;     // --yes
};

// Verifies the order against the trust bundle in force, shows what is signed and whom it hits now, asks,
// signs the very bytes that were shown, and sends the signature. kDone when it was the last one that was
// lacking (with --wait: done everywhere), kNeedsSignatures when there must be more. Nothing is signed after
// an error.
absl::StatusOr<ExitCode> ApproveOrder(Tool& tool, const std::string& order_id, const ApproveOptions& options);

absl::StatusOr<ExitCode> WithdrawOrder(Tool& tool, const std::string& order_id, const std::string& reason);

// The steps that are pure, for themselves.

// The order inside what the controller gave for `order_id`, when the operator may sign it now: it is that
// order, unexpired, obeyed under the bundle once it has signatures enough, and not signed by the operator
// yet.
absl::StatusOr<v1::Order> CheckApprovable(const v1::OrderSummary& summary, std::string_view order_id,
                                          std::string_view operator_id, const v1::TrustBundle& bundle,
                                          int64_t now_unix_nanos);

// All that is signed, a line each.
std::vector<std::string> DescribeSigned(const v1::SignedOrder& signed_order, const v1::Order& order,
                                        const v1::TrustBundle& bundle);

}  // namespace cordon::ctl
