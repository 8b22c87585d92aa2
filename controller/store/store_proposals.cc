// How orders come to have signatures enough (AUT-3).

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/wire/lifeline.h"
#include "common/wire/order.h"
#include "common/wire/trust.h"
#include "controller/store/order_rows.h"
#include "controller/store/proposals.h"
#include "controller/store/sqlite_store_impl.h"

namespace cordon::controller {
namespace {

// One of the order's hosts may be a lifeline that asks for more signatures than the order itself. Such a host
// would refuse alone and late, so the whole order waits.
uint32_t NeededByLifelines(const v1::Order& order, const v1::TrustBundle& bundle,
                           const std::vector<HostTraits>& hosts) {
  uint32_t needed = 0;
  const v1::Level level = ClosesTo(order);
  if (level == v1::LEVEL_UNSPECIFIED || bundle.lifelines().empty()) return needed;
  for (const HostTraits& host : hosts) {
    const v1::Lifeline* const line = FindLifeline(bundle, host);
    if (line != nullptr && level > line->level()) {
      needed = std::max(needed, line->signatures());
    }
  }
  return needed;
}

std::string SignersOf(const v1::SignedOrder& signed_order) {
  std::string text;
  for (const v1::Signature& signature : signed_order.signatures()) {
    StrAppend(&text, text.empty() ? "" : ", ", "operator/", Printable(signature.operator_id().substr(0, 64)));
  }
  return text;
}

std::string CountIn(const SubmittedOrder& submitted) {
  return StrCat(submitted.signatures, " of ", submitted.signatures_needed, " signatures");
}

std::string_view NameOf(v1::ProposalState state) {
  switch (state) {
    case v1::PROPOSAL_STATE_COMPLETED:
      return "has its signatures and went to its hosts";
    case v1::PROPOSAL_STATE_WITHDRAWN:
      return "was withdrawn";
    case v1::PROPOSAL_STATE_EXPIRED:
      return "expired before it had its signatures";
    default:
      return "needed no more signatures and went to its hosts";
  }
}

absl::Status CheckOpen(const OrderRecord& record, int64_t now) {
  if (record.proposal != v1::PROPOSAL_STATE_OPEN) {
    return absl::FailedPreconditionError(
        StrCat("order ", record.order_id, " is no proposal any more: it ", NameOf(record.proposal)));
  }
  if (record.expiry_unix_nanos <= now) {
    return absl::FailedPreconditionError(StrCat("order ", record.order_id, " expired at ",
                                                FormatTime(record.expiry_unix_nanos), ": make a new one"));
  }
  return absl::OkStatus();
}

// At least one signature must count, so that nobody without a key fills the store with proposals.
absl::Status CheckSomeoneSigned(const v1::SignedOrder& signed_order, const v1::TrustBundle& bundle) {
  absl::Status last = absl::PermissionDeniedError("it is not signed");
  for (const v1::Signature& signature : signed_order.signatures()) {
    last = CheckSignature(signed_order.order(), signature, bundle);
    if (last.ok()) return last;
  }
  return Annotate(last, "order refused");
}

// What is to be told of the very same order that is stored. ALREADY_EXISTS: another one with its id.
absl::Status ReadRepeat(Database& database, const OrderRecord& stored, const v1::SignedOrder& signed_order,
                        SubmittedOrder* result) {
  if (stored.signed_order.order() != signed_order.order()) {
    return absl::AlreadyExistsError(
        StrCat("another order with the id ", stored.order_id, " is stored; make a new one"));
  }
  if (stored.proposal == v1::PROPOSAL_STATE_WITHDRAWN || stored.proposal == v1::PROPOSAL_STATE_EXPIRED) {
    return absl::FailedPreconditionError(
        StrCat("order ", stored.order_id, " ", NameOf(stored.proposal), ": make a new one"));
  }
  result->repeat = true;
  result->signed_order = stored.signed_order;
  result->proposal = stored.proposal;
  result->signatures_needed = stored.signatures_needed;
  result->signatures = static_cast<uint32_t>(stored.signed_order.signatures_size());
  if (stored.proposal != v1::PROPOSAL_STATE_OPEN) {
    CORDON_ASSIGN_OR_RETURN(result->host_ids, HostsAddressedBy(database, stored.order_id));
    return absl::OkStatus();
  }
  CORDON_ASSIGN_OR_RETURN(const v1::TrustBundle bundle, TrustInForce(database));
  v1::Order order;
  CORDON_RETURN_IF_ERROR(ParseStored(stored.signed_order.order(), &order));
  return Judge(database, order, bundle, result).status();
}

// Sends an order with signatures enough on its way.
absl::Status PutInForce(Database& database, const v1::Order& order, int64_t now, SubmittedOrder* result) {
  {
    CORDON_ASSIGN_OR_RETURN(
        Statement update,
        database.Prepare(
            "UPDATE orders SET released = (SELECT max(released) + 1 FROM orders) WHERE order_id = ?"));
    CORDON_RETURN_IF_ERROR(update.BindText(1, order.order_id()).Run());
  }
  CORDON_RETURN_IF_ERROR(AddressHosts(database, {order.order_id(), LaneOf(order), order.sequence()},
                                      result->host_ids, now, &result->superseded));
  CORDON_RETURN_IF_ERROR(AppendOutcomeEntries(database, now, result->superseded, SaidBy::kController));
  return order.has_trust() ? ChangeTrust(database, order, result->signed_order, now) : absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> Judge(Database& database, const v1::Order& order, const v1::TrustBundle& bundle,
                           SubmittedOrder* result) {
  CORDON_ASSIGN_OR_RETURN(const std::vector<HostTraits> hosts, HostsOf(database, order.target()));
  CORDON_ASSIGN_OR_RETURN(
      const SignatureCount count,
      CountSignatures(result->signed_order.order(), result->signed_order.signatures(), bundle));
  result->host_ids.clear();
  for (const HostTraits& host : hosts) result->host_ids.push_back(host.host_id);
  result->signatures = count.have;
  result->signatures_needed = std::max(count.needed, NeededByLifelines(order, bundle, hosts));
  return count.lacking.empty() && result->signatures >= result->signatures_needed;
}

absl::StatusOr<SubmittedOrder> SqliteStore::SubmitOrder(const v1::SignedOrder& signed_order,
                                                        const v1::Order& order, std::string_view submitted_by,
                                                        const AuditNote& note) {
  if (LaneOf(order).empty()) return absl::InvalidArgumentError("the order has no action");
  const int64_t now = clock_.WallNanos();
  SubmittedOrder result;
  CORDON_RETURN_IF_ERROR(Write([&](Database& database) -> absl::Status {
    const absl::StatusOr<OrderRecord> stored = FindOrder(database, order.order_id());
    if (stored.ok()) return ReadRepeat(database, *stored, signed_order, &result);
    if (!absl::IsNotFound(stored.status())) return stored.status();
    CORDON_ASSIGN_OR_RETURN(const v1::TrustBundle bundle, TrustInForce(database));
    CORDON_RETURN_IF_ERROR(CheckSomeoneSigned(signed_order, bundle));
    CORDON_RETURN_IF_ERROR(CheckTrustTurn(database, order));
    result.signed_order = signed_order;
    CORDON_ASSIGN_OR_RETURN(const bool complete, Judge(database, order, bundle, &result));
    result.proposal = complete ? v1::PROPOSAL_STATE_UNSPECIFIED : v1::PROPOSAL_STATE_OPEN;
    CORDON_RETURN_IF_ERROR(InsertOrder(database, order, result, submitted_by, now));
    CORDON_RETURN_IF_ERROR(AppendAuditEntry(database, now, note));
    if (complete) return PutInForce(database, order, now, &result);
    return AppendAuditEntry(database, now,
                            {note.actor, "order.propose", order.order_id(),
                             StrCat(CountIn(result), ": ", SignersOf(signed_order))});
  }));
  return result;
}

absl::StatusOr<SubmittedOrder> SqliteStore::ApproveOrder(std::string_view order_id,
                                                         const v1::Signature& signature,
                                                         const AuditNote& note) {
  const int64_t now = clock_.WallNanos();
  SubmittedOrder result;
  CORDON_RETURN_IF_ERROR(Write([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(const OrderRecord stored, FindOrder(database, order_id));
    CORDON_RETURN_IF_ERROR(CheckOpen(stored, now));
    v1::Order order;
    CORDON_RETURN_IF_ERROR(ParseStored(stored.signed_order.order(), &order));
    CORDON_RETURN_IF_ERROR(CheckTrustTurn(database, order));
    CORDON_ASSIGN_OR_RETURN(const v1::TrustBundle bundle, TrustInForce(database));
    const std::string& bytes = stored.signed_order.order();
    CORDON_RETURN_IF_ERROR(CheckSignature(bytes, signature, bundle));
    result.signed_order.set_order(bytes);
    for (const v1::Signature& earlier : stored.signed_order.signatures()) {
      // Of somebody who was removed since, or has another key or role now.
      if (!CheckSignature(bytes, earlier, bundle).ok()) continue;
      if (earlier.operator_id() == signature.operator_id()) {
        return absl::AlreadyExistsError(StrCat("operator ", Printable(signature.operator_id()),
                                               " has signed this order already: another one must"));
      }
      *result.signed_order.add_signatures() = earlier;
    }
    *result.signed_order.add_signatures() = signature;
    CORDON_ASSIGN_OR_RETURN(const bool complete, Judge(database, order, bundle, &result));
    result.proposal = complete ? v1::PROPOSAL_STATE_COMPLETED : v1::PROPOSAL_STATE_OPEN;
    CORDON_RETURN_IF_ERROR(UpdateOrder(database, order_id, result));
    CORDON_RETURN_IF_ERROR(AppendAuditEntry(database, now, note));
    if (!complete) return absl::OkStatus();
    CORDON_RETURN_IF_ERROR(
        AppendAuditEntry(database, now,
                         {"controller", "order.complete", order.order_id(),
                          StrCat(CountIn(result), ": ", SignersOf(result.signed_order), "; for ",
                                 result.host_ids.size(), result.host_ids.size() == 1 ? " host" : " hosts")}));
    return PutInForce(database, order, now, &result);
  }));
  return result;
}

absl::Status SqliteStore::WithdrawOrder(std::string_view order_id, const AuditNote& note) {
  const int64_t now = clock_.WallNanos();
  return Write([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(const OrderRecord stored, FindOrder(database, order_id));
    CORDON_RETURN_IF_ERROR(CheckOpen(stored, now));
    return EndProposal(database, order_id, v1::PROPOSAL_STATE_WITHDRAWN, now, note);
  });
}

absl::Status EndProposal(Database& database, std::string_view order_id, v1::ProposalState state, int64_t now,
                         const AuditNote& note) {
  CORDON_ASSIGN_OR_RETURN(Statement update,
                          database.Prepare("UPDATE orders SET proposal = ? WHERE order_id = ?"));
  CORDON_RETURN_IF_ERROR(update.Bind(1, state).BindText(2, order_id).Run());
  return AppendAuditEntry(database, now, note);
}

absl::StatusOr<std::vector<std::string>> OpenProposals(Database& database, int64_t expiry_unix_nanos) {
  std::vector<std::string> open;
  CORDON_ASSIGN_OR_RETURN(
      Statement query,
      database.Prepare("SELECT order_id FROM orders WHERE proposal = 1 AND expiry <= ? ORDER BY number"));
  query.Bind(1, expiry_unix_nanos);
  while (true) {
    CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return open;
    open.emplace_back(query.Bytes(0));
  }
}

absl::Status ExpireProposals(Database& database, int64_t now) {
  CORDON_ASSIGN_OR_RETURN(const std::vector<std::string> open, OpenProposals(database, now));
  for (const std::string& order_id : open) {
    CORDON_ASSIGN_OR_RETURN(const OrderRecord one, FindOrder(database, order_id));
    CORDON_RETURN_IF_ERROR(
        EndProposal(database, one.order_id, v1::PROPOSAL_STATE_EXPIRED, now,
                    {"controller", "order.expired", one.order_id,
                     StrCat("a proposal that needed ", one.signatures_needed, " signatures and had those of ",
                            SignersOf(one.signed_order))}));
  }
  return absl::OkStatus();
}

}  // namespace cordon::controller
