#include "controller/cordonctl/order_flow.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json/array.hpp>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/wire/json.h"
#include "common/wire/order.h"
#include "common/wire/trust.h"
#include "controller/cordonctl/consent.h"
#include "controller/cordonctl/order_text.h"
#include "controller/cordonctl/proposal.h"
#include "controller/cordonctl/rehearsal.h"
#include "controller/cordonctl/sequence.h"
#include "controller/cordonctl/signers.h"
#include "controller/cordonctl/table.h"
#include "controller/cordonctl/trust_draft.h"
#include "controller/cordonctl/wait.h"

namespace cordon::ctl {
namespace {

constexpr int64_t kClockToleranceNanos = 300 * kNanosPerSecond;

std::string Sentence(const v1::Order& order, const std::vector<v1::Host>& hosts) {
  const auto offline = std::ranges::count_if(
      hosts, [](const v1::Host& host) { return host.state() != v1::HOST_STATE_CONNECTED; });
  std::string text = StrCat(DescribeAction(order), " on ", DescribeHosts(hosts));
  if (offline > 0) {
    StrAppend(&text, "; ", offline, " of them offline now, which get it when they return (until ",
              FormatTime(order.expiry_unix_nanos()), ")");
  }
  return text;
}

void ShowDryRun(const Tool& tool, const v1::Order& order, const std::vector<v1::Host>& hosts) {
  if (tool.Json()) {
    boost::json::object shown;
    shown["dry_run"] = true;
    shown["order"] = ToJson(order);
    boost::json::array& list = shown["hosts"].emplace_array();
    for (const v1::Host& host : hosts) {
      list.push_back({{"host_id", host.host_id()},
                      {"host", host.facts().host_name()},
                      {"site", host.site()},
                      {"state", WordOf(host.state())}});
    }
    tool.Print(shown);
    return;
  }
  tool.Print(StrCat("Nothing was sent. This order would be signed:\n  ", Printable(Sentence(order, hosts)),
                    "\n  target ", Printable(DescribeTarget(order.target())), ", reason \"",
                    Printable(order.reason()), "\"\n"));
  for (const std::string& rule : DescribeRules(order))
    tool.Print(StrCat("  stays open: ", Printable(rule), "\n"));
  Table table({"HOST", "SITE", "STATE", "NOW"});
  for (const v1::Host& host : hosts) {
    table.Add({host.facts().host_name(), host.site(), WordOf(host.state()),
               host.has_receipt() ? DescribeReceipt(host.receipt()) : ""});
  }
  tool.Print(table.Text());
}

absl::StatusOr<v1::SignedOrder> SignedBy(Tool& tool, const Client& client, const v1::Order& order) {
  v1::SignedOrder signed_order;
  signed_order.set_order(order.SerializeAsString());
  if (signed_order.order().size() > kMaxOrderBytes) {
    return absl::InvalidArgumentError(StrCat(
        "the order has ", FormatBytes(signed_order.order().size()), ", at most ", FormatBytes(kMaxOrderBytes),
        ": use a smaller profile, or fewer digests and rules in one order"));
  }
  CORDON_ASSIGN_OR_RETURN(EVP_PKEY* const key, tool.SigningKey());
  CORDON_ASSIGN_OR_RETURN(*signed_order.add_signatures(),
                          SignOrder(signed_order.order(), client.Identity().operator_id(), *key));
  return signed_order;
}

// An answer that does not come says nothing of the order: it may be on its way to its hosts.
absl::StatusOr<v1::SubmitOrderResponse> Submit(const Client& client, const v1::Order& order,
                                               const v1::SubmitOrderRequest& request) {
  absl::StatusOr<v1::SubmitOrderResponse> accepted = client.Call(&Client::Stub::SubmitOrder, request);
  const absl::Status& status = accepted.status();
  const bool unknown = absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
                       absl::IsCancelled(status) || absl::IsUnknown(status) || absl::IsInternal(status);
  if (!unknown) return accepted;
  return absl::Status(status.code(), StrCat(Message(status),
                                            "; whether the controller has taken the order is not known, it "
                                            "may be in force. See: cordonctl orders show ",
                                            order.order_id()));
}

void ShowAccepted(const Tool& tool, const v1::Order& order, const v1::SubmitOrderResponse& accepted) {
  if (tool.Json()) {
    tool.Print(
        {{"order_id", order.order_id()}, {"hosts", accepted.hosts()}, {"action", DescribeAction(order)}});
    return;
  }
  tool.Print(StrCat("order ", order.order_id(), " for ", Count(accepted.hosts(), "host"), ": ",
                    Printable(DescribeAction(order)), "\n"));
}

absl::StatusOr<int64_t> DurationOr(const std::string& text, std::string_view flag, int64_t otherwise) {
  if (text.empty()) return otherwise;
  const absl::StatusOr<int64_t> nanos = ParseDuration(text);
  if (!nanos.ok()) return Annotate(nanos.status(), flag);
  return nanos;
}

}  // namespace

void AddOrderFlags(CLI::App* command, OrderOptions* options) {
  command->add_option("--reason", options->reason, "Why; stands in the audit log")->required();
  command->add_option("--incident", options->incident, "Number or name of the incident");
  command->add_option("--valid-for", options->valid_for, "How long a host that is offline may take it later")
      ->default_str("7d");
  command->add_option("--timeout", options->timeout, "How long --wait waits");
  command->add_flag("--wait", options->wait, "Wait for every host's outcome");
  command->add_flag("--dry-run", options->dry_run,
                    "Show what would be signed, whom it hits and what it would cut; order nothing");
  command->add_flag("--yes", options->yes, "Do not ask");
}

absl::StatusOr<v1::Order> CompleteOrder(v1::Order draft, const Envelope& envelope) {
  draft.set_order_id(NewUuid());
  draft.set_fleet_id(envelope.fleet_id);
  draft.set_not_before_unix_nanos(std::max<int64_t>(envelope.now_unix_nanos - kClockToleranceNanos, 0));
  draft.set_expiry_unix_nanos(envelope.now_unix_nanos + envelope.valid_for_nanos);
  CORDON_ASSIGN_OR_RETURN(const uint64_t sequence,
                          NextSequence(envelope.now_unix_nanos, envelope.newest_sequence));
  draft.set_sequence(sequence);
  CORDON_RETURN_IF_ERROR(CheckOrder(draft));
  return draft;
}

bool NeedsConsent(const v1::Target& target, size_t hosts) {
  return hosts > 1 || target.all() || !target.sites().empty() || !target.labels().empty();
}

absl::StatusOr<ExitCode> GiveOrder(Tool& tool, const OrderOptions& options, v1::Order draft) {
  constexpr int64_t kWeek = 7LL * 24 * 3600 * kNanosPerSecond;
  Envelope envelope;
  CORDON_ASSIGN_OR_RETURN(envelope.valid_for_nanos, DurationOr(options.valid_for, "--valid-for", kWeek));
  CORDON_ASSIGN_OR_RETURN(const int64_t timeout,
                          DurationOr(options.timeout, "--timeout", options.default_timeout_nanos));
  CORDON_ASSIGN_OR_RETURN(Client* const client, tool.Controller());
  CORDON_ASSIGN_OR_RETURN(const std::vector<v1::Host> fleet, client->ListHosts());
  envelope.fleet_id = client->Identity().fleet_id();
  envelope.now_unix_nanos = tool.Now();
  envelope.newest_sequence = client->Fleet().newest_sequence();
  if (!draft.has_target()) {
    CORDON_ASSIGN_OR_RETURN(*draft.mutable_target(), BuildTarget(options.target, fleet, tool.Now()));
  }
  draft.set_reason(options.reason);
  draft.set_incident(options.incident);
  CORDON_ASSIGN_OR_RETURN(const v1::Order order, CompleteOrder(std::move(draft), envelope));
  const std::vector<v1::Host> hosts = Matching(order.target(), fleet);
  if (hosts.empty()) return absl::NotFoundError("no host matches the target; nothing was sent");
  if (options.dry_run) {
    ShowDryRun(tool, order, hosts);
    return order.has_isolate() ? Rehearse(tool, *client, order, options.timeout.empty() ? 0 : timeout)
                               : ExitCode::kDone;
  }
  if (NeedsConsent(order.target(), hosts.size())) {
    CORDON_RETURN_IF_ERROR(AskConsent(tool, options.yes, Sentence(order, hosts), "nothing was sent"));
  }
  v1::SubmitOrderRequest request;
  CORDON_ASSIGN_OR_RETURN(*request.mutable_order(), SignedBy(tool, *client, order));
  CORDON_ASSIGN_OR_RETURN(const v1::SubmitOrderResponse accepted, Submit(*client, order, request));
  const Standing standing{accepted.hosts(), accepted.signatures(), accepted.signatures_needed()};
  if (standing.IsProposal()) {
    ShowProposal(tool, request.order(), order, standing);
    if (!options.wait) return ExitCode::kNeedsSignatures;
    return FollowOrder(tool, *client, order.order_id(), timeout, &order);
  }
  ShowAccepted(tool, order, accepted);
  if (!options.wait) return ExitCode::kDone;
  return WaitForOrder(tool, *client, order, hosts, timeout);
}

void AddTrustFlags(CLI::App* command, TrustOrderOptions* options) {
  command->add_option("--reason", options->reason, "Why; stands in the audit log")->required();
  command->add_option("--incident", options->incident, "Number or name of the incident");
  command->add_flag("--yes", options->yes, "Do not ask");
}

absl::StatusOr<ExitCode> GiveTrustOrder(Tool& tool, const TrustOrderOptions& options,
                                        const v1::TrustBundle& next, NewKey new_key) {
  // A host that was off for long follows every version (AUT-3), so these live as long as any order may.
  constexpr int64_t kTenYears = 3'650LL * 24 * 3600 * kNanosPerSecond;
  CORDON_ASSIGN_OR_RETURN(Client* const client, tool.Controller());
  CORDON_ASSIGN_OR_RETURN(const FollowedTrust* const trust, tool.Trust());
  CORDON_RETURN_IF_ERROR(CheckCanFollow(trust->bundle, next));
  v1::Order draft;
  draft.mutable_target()->set_all(true);
  draft.set_reason(options.reason);
  draft.set_incident(options.incident);
  draft.mutable_trust()->mutable_bundle()->set_bundle(next.SerializeAsString());
  CORDON_ASSIGN_OR_RETURN(
      const v1::Order order,
      CompleteOrder(std::move(draft), {.fleet_id = client->Identity().fleet_id(),
                                       .now_unix_nanos = tool.Now(),
                                       .valid_for_nanos = kTenYears,
                                       .newest_sequence = client->Fleet().newest_sequence()}));
  for (const std::string& change : DescribeTrustChange(trust->bundle, next)) tool.Say(change);
  CORDON_RETURN_IF_ERROR(AskConsent(tool, options.yes,
                                    StrCat("trust bundle version ", next.version(), " for all hosts"),
                                    "nothing was sent"));
  v1::SubmitOrderRequest request;
  CORDON_ASSIGN_OR_RETURN(*request.mutable_order(), SignedBy(tool, *client, order));
  if (new_key.key != nullptr) {
    CORDON_ASSIGN_OR_RETURN(
        *request.mutable_order()->add_signatures(),
        SignOrder(request.order().order(), client->Identity().operator_id(), *new_key.key));
    *new_key.sent = true;
  }
  CORDON_ASSIGN_OR_RETURN(const v1::SubmitOrderResponse accepted, Submit(*client, order, request));
  const Standing standing{accepted.hosts(), accepted.signatures(), accepted.signatures_needed()};
  if (standing.IsProposal()) {
    ShowProposal(tool, request.order(), order, standing);
    return ExitCode::kNeedsSignatures;
  }
  ShowAccepted(tool, order, accepted);
  CORDON_RETURN_IF_ERROR(tool.FollowTrustAgain());
  return ExitCode::kDone;
}

}  // namespace cordon::ctl
