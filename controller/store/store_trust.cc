// The trust bundle in force, and those before it (AUT-3).

#include <limits>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/wire/order.h"
#include "common/wire/trust_bundle.h"
#include "controller/store/order_rows.h"
#include "controller/store/proposals.h"
#include "controller/store/sqlite_store_impl.h"

namespace cordon::controller {
namespace {

constexpr size_t kMaxHistoryBytes = 2 * 1024 * 1024;  // far below what cordonctl takes

absl::Status AppendHistory(Database& database, uint64_t version, uint64_t sequence,
                           const v1::SignedOrder& signed_order) {
  CORDON_ASSIGN_OR_RETURN(Statement insert,
                          database.Prepare("INSERT INTO trust_history(version, sequence, signed_order) "
                                           "VALUES(?, ?, ?)"));
  return insert.BindUnsigned(1, version)
      .BindUnsigned(2, sequence)
      .BindBlob(3, signed_order.SerializeAsString())
      .Run();
}

absl::StatusOr<v1::SignedTrustBundle> StoredBundle(Database& database) {
  v1::SignedTrustBundle bundle;
  CORDON_ASSIGN_OR_RETURN(Statement query, database.Prepare("SELECT trust_bundle FROM fleet"));
  CORDON_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return absl::DataLossError("it has no fleet in it");
  CORDON_RETURN_IF_ERROR(ParseStored(query.Bytes(0), &bundle));
  return bundle;
}

// By the new bundle an open proposal may need more or fewer signatures, or have become impossible. One that
// needs fewer now waits all the same: what nobody signs now does not go off by itself.
absl::Status JudgeAnew(Database& database, const OrderRecord& one, const v1::TrustBundle& bundle,
                       int64_t now) {
  v1::Order order;
  CORDON_RETURN_IF_ERROR(ParseStored(one.signed_order.order(), &order));
  SubmittedOrder judged;
  judged.signed_order = one.signed_order;
  judged.proposal = v1::PROPOSAL_STATE_OPEN;
  absl::Status possible = CheckTrustTurn(database, order);
  if (possible.ok()) possible = Judge(database, order, bundle, &judged).status();
  if (possible.ok()) return UpdateOrder(database, one.order_id, judged);
  if (!absl::IsPermissionDenied(possible) && !absl::IsFailedPrecondition(possible)) return possible;
  return EndProposal(
      database, one.order_id, v1::PROPOSAL_STATE_WITHDRAWN, now,
      {"controller", "order.withdraw", one.order_id,
       StrCat("trust bundle version ", bundle.version(), " is in force: ", Message(possible))});
}

}  // namespace

absl::StatusOr<v1::TrustBundle> TrustInForce(Database& database) {
  CORDON_ASSIGN_OR_RETURN(const v1::SignedTrustBundle stored, StoredBundle(database));
  absl::StatusOr<v1::TrustBundle> bundle = ParseTrustBundle(stored);
  if (!bundle.ok())
    return absl::DataLossError(StrCat("the trust bundle in force: ", Message(bundle.status())));
  return bundle;
}

absl::Status BeginTrustHistory(Database& database) {
  {
    CORDON_ASSIGN_OR_RETURN(Statement some, database.Prepare("SELECT 1 FROM trust_history LIMIT 1"));
    CORDON_ASSIGN_OR_RETURN(const bool begun, some.Step());
    if (begun) return absl::OkStatus();
  }
  absl::StatusOr<v1::SignedTrustBundle> first = StoredBundle(database);
  if (!first.ok()) return absl::OkStatus();  // no store: who reads the fleet says so
  v1::TrustBundle bundle;
  if (!bundle.ParseFromString(first->bundle())) return absl::DataLossError("its trust bundle cannot be read");
  v1::Order holder;
  *holder.mutable_trust()->mutable_bundle() = *std::move(first);
  v1::SignedOrder signed_order;
  signed_order.set_order(holder.SerializeAsString());
  return AppendHistory(database, bundle.version(), 0, signed_order);
}

absl::Status CheckTrustTurn(Database& database, const v1::Order& order) {
  if (!order.has_trust()) return absl::OkStatus();
  CORDON_ASSIGN_OR_RETURN(Statement query, database.Prepare("SELECT max(sequence) FROM trust_history"));
  CORDON_RETURN_IF_ERROR(query.Step().status());
  if (order.sequence() > query.Unsigned(0)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "this change of trust was made before the one that is in force, and hosts would not take it: make it "
      "anew");
}

absl::Status ChangeTrust(Database& database, const v1::Order& order, const v1::SignedOrder& signed_order,
                         int64_t now) {
  CORDON_ASSIGN_OR_RETURN(const v1::TrustBundle bundle, ParseTrustBundle(order.trust().bundle()));
  {
    CORDON_ASSIGN_OR_RETURN(Statement update, database.Prepare("UPDATE fleet SET trust_bundle = ?"));
    CORDON_RETURN_IF_ERROR(update.BindBlob(1, order.trust().bundle().SerializeAsString()).Run());
  }
  CORDON_RETURN_IF_ERROR(AppendHistory(database, bundle.version(), order.sequence(), signed_order));
  CORDON_RETURN_IF_ERROR(AppendAuditEntry(
      database, now,
      {"controller", "trust.change", order.order_id(),
       StrCat("trust bundle version ", bundle.version(), " is in force, with ", bundle.operators_size(),
              bundle.operators_size() == 1 ? " operator" : " operators")}));
  CORDON_ASSIGN_OR_RETURN(const std::vector<std::string> open,
                          OpenProposals(database, std::numeric_limits<int64_t>::max()));
  for (const std::string& order_id : open) {
    CORDON_ASSIGN_OR_RETURN(const OrderRecord one, FindOrder(database, order_id));
    CORDON_RETURN_IF_ERROR(JudgeAnew(database, one, bundle, now));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::SignedOrder>> SqliteStore::TrustHistory(uint64_t after_version) {
  std::vector<v1::SignedOrder> orders;
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(
        Statement query,
        database.Prepare("SELECT signed_order FROM trust_history WHERE version > ? ORDER BY version"));
    query.BindUnsigned(1, after_version);
    size_t bytes = 0;
    while (bytes < kMaxHistoryBytes) {
      CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
      if (!row) break;
      bytes += query.Bytes(0).size();
      CORDON_RETURN_IF_ERROR(ParseStored(query.Bytes(0), &orders.emplace_back()));
    }
    return absl::OkStatus();
  }));
  return orders;
}

absl::StatusOr<v1::SignedTrustBundle> SqliteStore::TrustOfEnrollment(std::string_view enrollment_id) {
  v1::SignedTrustBundle bundle;
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(
        Statement query,
        database.Prepare("SELECT t.signed_order FROM enrollments e JOIN trust_history t "
                         "ON t.version = e.trust_version OR (e.trust_version = 0 AND t.sequence = 0) "
                         "WHERE e.enrollment_id = ?"));
    CORDON_ASSIGN_OR_RETURN(const bool found, query.BindText(1, enrollment_id).Step());
    if (!found) {
      return absl::NotFoundError(StrCat("there is no enrolment ", Printable(enrollment_id.substr(0, 64))));
    }
    v1::SignedOrder signed_order;
    v1::Order order;
    CORDON_RETURN_IF_ERROR(ParseStored(query.Bytes(0), &signed_order));
    CORDON_RETURN_IF_ERROR(ParseStored(signed_order.order(), &order));
    bundle = order.trust().bundle();
    return absl::OkStatus();
  }));
  return bundle;
}

absl::Status SqliteStore::RecordOperatorCertificate(std::string_view operator_id,
                                                    const CertificateRecord& certificate,
                                                    const AuditNote& note) {
  return Write([&](Database& database) -> absl::Status {
    CORDON_RETURN_IF_ERROR(RecordCertificate(database, StrCat("operator/", operator_id), certificate));
    return AppendAuditEntry(database, clock_.WallNanos(), note);
  });
}

}  // namespace cordon::controller
