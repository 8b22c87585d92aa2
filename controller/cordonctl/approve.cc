#include "controller/cordonctl/approve.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <ostream>

#include "common/base/clock.h"
#include "common/base/hex.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/crypto/digest.h"
#include "common/wire/json.h"
#include "common/wire/order.h"
#include "common/wire/trust.h"
#include "controller/cordonctl/consent.h"
#include "controller/cordonctl/order_text.h"
#include "controller/cordonctl/proposal.h"
#include "controller/cordonctl/signers.h"
#include "controller/cordonctl/table.h"
#include "controller/cordonctl/target.h"

namespace cordon::ctl {
namespace {

constexpr int64_t kTimeoutNanos = 60 * kNanosPerSecond;
constexpr size_t kMaxReasonBytes = 1'000;

absl::Status CheckOpen(const v1::OrderSummary& summary) {
  switch (summary.proposal()) {
    case v1::PROPOSAL_STATE_OPEN:
      return absl::OkStatus();
    case v1::PROPOSAL_STATE_COMPLETED:
      return absl::FailedPreconditionError("it has its signatures and went to its hosts");
    case v1::PROPOSAL_STATE_UNSPECIFIED:
      return absl::FailedPreconditionError("it needed no more signatures and went to its hosts");
    default:
      return absl::FailedPreconditionError(
          StrCat("it is ", WordOf(summary.proposal()), ": if it is still wanted, order it again"));
  }
}

bool Has(const std::vector<v1::TrustedOperator>& people, std::string_view operator_id) {
  return std::ranges::find(people, operator_id, &v1::TrustedOperator::operator_id) != people.end();
}

absl::StatusOr<v1::Order> Check(const v1::OrderSummary& summary, std::string_view order_id,
                                std::string_view operator_id, const v1::TrustBundle& bundle, int64_t now) {
  CORDON_RETURN_IF_ERROR(CheckOpen(summary));
  CORDON_ASSIGN_OR_RETURN(const Signers signers, SignersOf(summary.order(), bundle));
  v1::Order order;
  if (!order.ParseFromString(summary.order().order())) return absl::InvalidArgumentError("it is damaged");
  if (order.order_id() != order_id) {
    return absl::PermissionDeniedError(StrCat("the controller gave another order instead, ",
                                              Printable(order.order_id()),
                                              ": do not use it before you know why"));
  }
  if (order.expiry_unix_nanos() <= now) {
    return absl::FailedPreconditionError(StrCat("it expired at ", FormatTime(order.expiry_unix_nanos()),
                                                ": if it is still wanted, order it again"));
  }
  if (Has(signers.have, operator_id)) {
    return absl::AlreadyExistsError(
        StrCat("you have signed it already; it can be signed by ", NamesOf(signers.may)));
  }
  if (!Has(signers.may, operator_id)) {
    const auto you = std::ranges::find(bundle.operators(), operator_id, &v1::TrustedOperator::operator_id);
    const auto role = you == bundle.operators().end() ? RolesFor(order).front() : LackingRole(*you, order);
    return absl::PermissionDeniedError(StrCat("your signature would not count: you lack the role ",
                                              WordOf(role), " in trust bundle version ", bundle.version(),
                                              "; it can be signed by ", NamesOf(signers.may)));
  }
  return order;
}

std::string HitsNow(const v1::Order& order, const std::vector<v1::Host>& hosts) {
  if (hosts.empty()) return "no host now";
  const auto offline = std::ranges::count_if(
      hosts, [](const v1::Host& host) { return host.state() != v1::HOST_STATE_CONNECTED; });
  std::string text = DescribeHosts(hosts);
  if (offline > 0) {
    StrAppend(&text, "; ", offline, " of them offline now, which get it when they return (until ",
              FormatTime(order.expiry_unix_nanos()), ")");
  }
  return text;
}

absl::StatusOr<v1::Signature> Sign(Tool& tool, const std::string& bytes, const v1::TrustBundle& bundle) {
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  CORDON_ASSIGN_OR_RETURN(EVP_PKEY* const key, tool.SigningKey());
  CORDON_ASSIGN_OR_RETURN(v1::Signature signature, SignOrder(bytes, client->Identity().operator_id(), *key));
  // Another key than the bundle names: of an identity that was replaced.
  CORDON_RETURN_IF_ERROR(CheckSignature(bytes, signature, bundle));
  return signature;
}

void ShowApproved(const Tool& tool, const v1::Order& order, const Standing& standing) {
  if (tool.Json()) {
    tool.Print({{"order_id", order.order_id()},
                {"hosts", standing.hosts},
                {"action", DescribeAction(order)},
                {"proposal", standing.IsProposal() ? "open" : "completed"},
                {"signatures", standing.signatures},
                {"signatures_needed", standing.signatures_needed}});
    return;
  }
  tool.Print(StrCat("order ", order.order_id(), " has ", standing.signatures, " of ",
                    standing.signatures_needed, " signatures",
                    standing.IsProposal()
                        ? " and does nothing before it has them all: "
                        : StrCat(" and is on its way to ", Count(standing.hosts, "host"), ": "),
                    Printable(DescribeAction(order)), "\n"));
}

}  // namespace

absl::StatusOr<v1::Order> CheckApprovable(const v1::OrderSummary& summary, std::string_view order_id,
                                          std::string_view operator_id, const v1::TrustBundle& bundle,
                                          int64_t now_unix_nanos) {
  absl::StatusOr<v1::Order> order = Check(summary, order_id, operator_id, bundle, now_unix_nanos);
  if (!order.ok()) return Annotate(order.status(), StrCat("order ", order_id, " cannot be approved"));
  return order;
}

std::vector<std::string> DescribeSigned(const v1::SignedOrder& signed_order, const v1::Order& order,
                                        const v1::TrustBundle& bundle) {
  std::vector<std::string> lines = {
      StrCat("order     ", order.order_id()), StrCat("sha256    ", HexEncode(Sha256(signed_order.order()))),
      StrCat("action    ", DescribeAction(order)), StrCat("target    ", DescribeTarget(order.target()))};
  if (order.target().hosts_size() > 1) {
    for (const v1::TargetHost& host : order.target().hosts()) {
      lines.push_back(StrCat("  host    ", host.name().empty() ? host.host_id() : host.name()));
    }
  }
  lines.push_back(StrCat("reason    ", order.reason()));
  if (!order.incident().empty()) lines.push_back(StrCat("incident  ", order.incident()));
  lines.push_back(StrCat("valid     ", FormatTime(order.not_before_unix_nanos()), " to ",
                         FormatTime(order.expiry_unix_nanos())));
  for (const std::string& rule : DescribeRules(order)) lines.push_back(StrCat("  stays open: ", rule));
  if (order.has_isolate() && order.isolate().has_lease()) {
    const v1::Level then = order.isolate().lease().then();
    lines.push_back(StrCat("  then    ", then == v1::LEVEL_UNSPECIFIED ? "observe" : WordOf(then)));
  }
  const std::string& message =
      order.has_release() ? order.release().user_message() : order.isolate().user_message();
  if (!message.empty()) lines.push_back(StrCat("  message to users: ", message));
  if (order.has_scan() || order.has_policy()) {
    lines.push_back(StrCat("  in full: ", boost::json::serialize(ToJson(order))));
  }
  if (order.has_trust()) {
    if (const auto next = ParseTrustBundle(order.trust().bundle()); next.ok()) {
      lines.push_back(StrCat("trust bundle version ", bundle.version(), " becomes ", next->version()));
      for (const std::string& change : DescribeTrustChange(bundle, *next))
        lines.push_back(StrCat("  ", change));
    }
  }
  return lines;
}

absl::StatusOr<ExitCode> ApproveOrder(Tool& tool, const std::string& order_id,
                                      const ApproveOptions& options) {
  if (!IsUuid(order_id)) return absl::InvalidArgumentError("ID is not an order's id; see cordonctl orders");
  int64_t timeout = kTimeoutNanos;
  if (!options.timeout.empty()) {
    const absl::StatusOr<int64_t> nanos = ParseDuration(options.timeout);
    if (!nanos.ok()) return Annotate(nanos.status(), "--timeout");
    timeout = *nanos;
  }
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  CORDON_ASSIGN_OR_RETURN(const FollowedTrust* const trust, tool.Trust());
  CORDON_ASSIGN_OR_RETURN(const v1::GetOrderResponse found, client->GetOrder(order_id));
  const v1::SignedOrder& signed_order = found.summary().order();
  CORDON_ASSIGN_OR_RETURN(const v1::Order order,
                          CheckApprovable(found.summary(), order_id, client->Identity().operator_id(),
                                          trust->bundle, tool.Now()));
  CORDON_ASSIGN_OR_RETURN(const std::vector<v1::Host> fleet, client->ListHosts());
  const std::vector<v1::Host> hosts = Matching(order.target(), fleet);
  CORDON_ASSIGN_OR_RETURN(const Signers signers, SignersOf(signed_order, trust->bundle));
  std::ostream& err = tool.World().err;
  for (const std::string& line : DescribeSigned(signed_order, order, trust->bundle)) {
    err << Printable(line) << '\n';
  }
  err << "signed by " << Printable(NamesOf(signers.have)) << "; needs " << found.summary().signatures_needed()
      << " in all\n";
  CORDON_RETURN_IF_ERROR(AskConsent(tool, options.yes,
                                    StrCat("sign: ", DescribeAction(order), " on ", HitsNow(order, hosts)),
                                    "nothing was signed"));
  v1::ApproveOrderRequest request;
  request.set_order_id(order_id);
  CORDON_ASSIGN_OR_RETURN(*request.mutable_signature(), Sign(tool, signed_order.order(), trust->bundle));
  CORDON_ASSIGN_OR_RETURN(const v1::ApproveOrderResponse approved,
                          client->Call(&Client::Stub::ApproveOrder, request));
  const Standing standing{approved.hosts(), approved.signatures(), approved.signatures_needed()};
  ShowApproved(tool, order, standing);
  if (options.wait) return FollowOrder(tool, *client, order_id, timeout, &order);
  return standing.IsProposal() ? ExitCode::kNeedsSignatures : ExitCode::kDone;
}

absl::StatusOr<ExitCode> WithdrawOrder(Tool& tool, const std::string& order_id, const std::string& reason) {
  if (!IsUuid(order_id)) return absl::InvalidArgumentError("ID is not an order's id; see cordonctl orders");
  if (reason.empty() || reason.size() > kMaxReasonBytes) {
    return absl::InvalidArgumentError(StrCat("--reason: must be 1 to ", kMaxReasonBytes, " bytes"));
  }
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  v1::WithdrawOrderRequest request;
  request.set_order_id(order_id);
  request.set_reason(reason);
  CORDON_RETURN_IF_ERROR(client->Call(&Client::Stub::WithdrawOrder, request).status());
  if (tool.Json()) {
    tool.Print({{"order_id", order_id}, {"proposal", "withdrawn"}});
  } else {
    tool.Print(StrCat("order ", order_id, " is withdrawn and does nothing\n"));
  }
  return ExitCode::kDone;
}

}  // namespace cordon::ctl
