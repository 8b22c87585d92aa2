#pragma once

// The next trust bundle, made from the one in force (AUT-3). Pure.

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "cordon/v1/operator.pb.h"
#include "cordon/v1/order.pb.h"

namespace cordon::ctl {

// "isolate", "scan", … INVALID_ARGUMENT names the one that is no role.
absl::StatusOr<std::vector<v1::TrustedOperator::Role>> ParseRoles(const std::vector<std::string>& words);

// "isolate-hard=2". INVALID_ARGUMENT when one is not CLASS=N with N of 1 to 16.
absl::StatusOr<std::vector<v1::Threshold>> ParseThresholds(const std::vector<std::string>& texts);

// The bundle after `before` with that operator, who must not stand in it yet: ALREADY_EXISTS.
absl::StatusOr<v1::TrustBundle> WithOperator(const v1::TrustBundle& before,
                                             const v1::OperatorRequest& request,
                                             const std::vector<v1::TrustedOperator::Role>& roles);

// The operator whose id it is, or begins with it, or whose name it is. NOT_FOUND; FAILED_PRECONDITION when it
// means several.
absl::StatusOr<v1::TrustedOperator> FindOperator(const v1::TrustBundle& bundle, std::string_view text);

// The bundle after `before` without that operator.
v1::TrustBundle WithoutOperator(const v1::TrustBundle& before, std::string_view operator_id);

// The bundle after `before` with other keys for an operator of it; the unlock key with the role for it alone.
v1::TrustBundle WithKeys(const v1::TrustBundle& before, const v1::TrustedOperator& keys);

// The bundle after `before` with these certificate authorities (PEM), or with another key for the audit log,
// or with this lifeline in the place of the one that its site had.
v1::TrustBundle WithAuthorities(const v1::TrustBundle& before, const std::vector<std::string>& ca_pem);
v1::TrustBundle WithLogKey(const v1::TrustBundle& before, std::string_view public_key);
v1::TrustBundle WithLifeline(const v1::TrustBundle& before, const v1::Lifeline& lifeline);
// NOT_FOUND: the site has none.
absl::StatusOr<v1::TrustBundle> WithoutLifeline(const v1::TrustBundle& before, std::string_view site);

void SetThresholds(const std::vector<v1::Threshold>& thresholds, v1::TrustBundle* bundle);

// OK when `after` can be put in force: it is whole, and those who can sign now are enough for its own
// threshold for changes of trust. Somebody who is only named in it has no certificate yet, and cannot sign:
// FAILED_PRECONDITION says to go in two steps.
absl::Status CheckCanFollow(const v1::TrustBundle& before, const v1::TrustBundle& after);

}  // namespace cordon::ctl
