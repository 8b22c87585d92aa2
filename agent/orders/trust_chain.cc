#include "agent/orders/trust_chain.h"

#include <utility>

#include "common/base/status.h"
#include "common/crypto/digest.h"
#include "common/wire/order.h"
#include "common/wire/trust.h"
#include "platform/api/files.h"

namespace cordon::agent {
namespace {

constexpr size_t kMaxFileBytes = kMaxOrderBytes + 64 * 1024;

absl::Status Damaged(std::string_view what, std::string_view why) {
  return absl::DataLossError(StrCat("the trust bundle in force is damaged (", what, ": ", why,
                                    "), so this host obeys nobody and keeps its level; enrol it again with "
                                    "--replace"));
}

}  // namespace

TrustChain::TrustChain(const std::filesystem::path& state_dir, const v1::SignedTrustBundle& root)
    : file_(state_dir / kTrustOrderFile), in_force_(ParseTrustBundle(root)) {
  if (const absl::Status loaded = Load(); !loaded.ok()) in_force_ = loaded;
}

absl::Status TrustChain::Load() {
  if (!in_force_.ok()) return Damaged("the one of the enrolment", Message(in_force_.status()));
  const absl::StatusOr<std::string> bytes = platform::ReadFileBounded(file_, kMaxFileBytes);
  if (absl::IsNotFound(bytes.status())) return absl::OkStatus();
  if (!bytes.ok()) return Damaged(file_.string(), Message(bytes.status()));
  if (bytes->empty()) return absl::OkStatus();
  v1::SignedOrder signed_order;
  if (!signed_order.ParseFromString(*bytes)) return Damaged(file_.string(), "it cannot be parsed");
  absl::StatusOr<AcceptedTrust> accepted = ReadAcceptedTrust(signed_order);
  if (!accepted.ok()) return Damaged(file_.string(), Message(accepted.status()));
  if (accepted->bundle.fleet_id() != in_force_->fleet_id()) {
    return Damaged(file_.string(), "it is another fleet's");
  }
  if (accepted->bundle.version() <= in_force_->version()) {
    return Damaged(file_.string(), "it is not newer than the one of the enrolment");
  }
  Use(accepted->order, signed_order, std::move(accepted->bundle));
  return absl::OkStatus();
}

void TrustChain::Use(const v1::Order& order, const v1::SignedOrder& signed_order, v1::TrustBundle bundle) {
  lane_.set_lane(std::string(kTrustLane));
  lane_.set_sequence(order.sequence());
  lane_.set_order_id(order.order_id());
  order_sha256_ = Sha256(signed_order.order());
  in_force_ = std::move(bundle);
}

bool TrustChain::IsInForce(const v1::SignedOrder& signed_order) const {
  return in_force_.ok() && !order_sha256_.empty() && signed_order.order().size() <= kMaxOrderBytes &&
         Sha256(signed_order.order()) == order_sha256_;
}

std::string TrustChain::Authorities(std::string_view of_enrollment) const {
  std::string pem;
  if (in_force_.ok()) {
    for (const std::string& one : in_force_->ca_pem()) StrAppend(&pem, one, "\n");
  }
  return pem.empty() ? std::string(of_enrollment) : pem;
}

absl::Status TrustChain::Accept(const v1::Order& order, const v1::SignedOrder& signed_order) {
  CORDON_RETURN_IF_ERROR(in_force_.status());
  CORDON_ASSIGN_OR_RETURN(v1::TrustBundle bundle, ParseTrustBundle(order.trust().bundle()));
  if (bundle.version() <=
      in_force_->version()) {  // VerifyOrder has seen to it; here it is what everything rests on
    return absl::FailedPreconditionError(
        StrCat("the trust bundle in force has version ", in_force_->version(), " already"));
  }
  CORDON_RETURN_IF_ERROR(
      platform::WriteFileDurably(file_, signed_order.SerializeAsString(), platform::FileAccess::kOwnerOnly));
  Use(order, signed_order, std::move(bundle));
  return absl::OkStatus();
}

}  // namespace cordon::agent
