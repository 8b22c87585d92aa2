#pragma once

// Who has signed an order, and who else may (AUT-3). Pure.

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "cordon/v1/order.pb.h"

namespace cordon::ctl {

struct Signers {
  std::vector<v1::TrustedOperator> have;  // whose signatures count
  std::vector<v1::TrustedOperator> may;   // who have the role and have not signed
  std::vector<std::string> idle;          // signatures that count for nothing, and why
};

// By the bundle in force; for a change of trust the operators of the new bundle count as well.
// INVALID_ARGUMENT or PERMISSION_DENIED for an order that could never be obeyed under `bundle`.
absl::StatusOr<Signers> SignersOf(const v1::SignedOrder& signed_order, const v1::TrustBundle& bundle);

// "alex (1b4e28ba)": names are not unique, the beginning of an id nearly is.
std::string NameOf(const v1::TrustedOperator& person);
std::string NamesOf(const std::vector<v1::TrustedOperator>& people);

// "isolate, trust".
std::string RolesOf(const v1::TrustedOperator& person);

// What a change of trust changes, a line each: operators that come, go or change, thresholds, lifelines,
// authorities, the log's key.
std::vector<std::string> DescribeTrustChange(const v1::TrustBundle& before, const v1::TrustBundle& after);

}  // namespace cordon::ctl
