#include <CLI/CLI.hpp>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/wire/json.h"
#include "controller/cordonctl/approve.h"
#include "controller/cordonctl/commands.h"
#include "controller/cordonctl/order_text.h"
#include "controller/cordonctl/proposal.h"
#include "controller/cordonctl/signers.h"
#include "controller/cordonctl/table.h"

namespace cordon::ctl {
namespace {

v1::Order Inside(const v1::OrderSummary& summary) {
  v1::Order order;
  if (!order.ParseFromString(summary.order().order())) order.Clear();  // shown as an unknown action
  return order;
}

// The controller's keys are names of OrderOutcome.State.
std::string StateWord(const std::string& name) {
  const auto* const value = v1::OrderOutcome::State_descriptor()->FindValueByName(name);
  return value == nullptr ? Printable(name) : Word(*value);
}

std::string CountsInWords(const v1::OrderSummary& summary) {
  std::map<std::string, uint32_t> sorted;
  for (const auto& [name, count] : summary.counts()) sorted[StateWord(name)] += count;
  std::string text;
  for (const auto& [word, count] : sorted) StrAppend(&text, text.empty() ? "" : ", ", count, " ", word);
  return text;
}

// "1 of 2, open", "2 of 2", nothing for an order that one person may give. The store keeps only signatures
// that count; `orders show` and `orders approve` verify them.
std::string SignaturesInWords(const v1::OrderSummary& summary) {
  if (summary.signatures_needed() <= 1 && summary.proposal() == v1::PROPOSAL_STATE_UNSPECIFIED) return "";
  std::string text = StrCat(summary.order().signatures_size(), " of ", summary.signatures_needed());
  if (summary.proposal() != v1::PROPOSAL_STATE_UNSPECIFIED &&
      summary.proposal() != v1::PROPOSAL_STATE_COMPLETED) {
    StrAppend(&text, ", ", WordOf(summary.proposal()));
  }
  return text;
}

boost::json::object SummaryJson(const v1::OrderSummary& summary) {
  const v1::Order order = Inside(summary);
  boost::json::object counts;
  for (const auto& [name, count] : summary.counts()) counts[StateWord(name)] = count;
  boost::json::object line = {{"order_id", order.order_id()},
                              {"action", DescribeAction(order)},
                              {"submitted_by", summary.submitted_by()},
                              {"submitted_unix_nanos", summary.submitted_unix_nanos()},
                              {"counts", std::move(counts)},
                              {"signatures_needed", summary.signatures_needed()},
                              {"proposal", WordOf(summary.proposal())},
                              {"order", ToJson(order)}};
  boost::json::array& signers = line["signed_by"].emplace_array();
  for (const v1::Signature& each : summary.order().signatures()) signers.emplace_back(each.operator_id());
  return line;
}

absl::StatusOr<ExitCode> List(Tool& tool, uint32_t limit) {
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  Table table({"SUBMITTED", "ORDER", "ACTION", "TARGET", "SIGNATURES", "HOSTS", "REASON"});
  CORDON_RETURN_IF_ERROR(client->ListOrders(limit, [&](const v1::OrderSummary& summary) {
    if (tool.Json()) return tool.Print(SummaryJson(summary));
    const v1::Order order = Inside(summary);
    table.Add({Ago(summary.submitted_unix_nanos(), tool.Now()), order.order_id(), DescribeAction(order),
               DescribeTarget(order.target()), SignaturesInWords(summary), CountsInWords(summary),
               order.reason()});
  }));
  if (!tool.Json()) tool.Print(table.Text());
  return ExitCode::kDone;
}

absl::StatusOr<std::map<std::string, std::string>> HostNames(const Client& client) {
  CORDON_ASSIGN_OR_RETURN(const std::vector<v1::Host> hosts, client.ListHosts());
  std::map<std::string, std::string> names;
  for (const v1::Host& host : hosts) names[host.host_id()] = host.facts().host_name();
  return names;
}

void ShowOutcomes(const Tool& tool, const v1::GetOrderResponse& found,
                  const std::map<std::string, std::string>& names) {
  Table table({"HOST", "STATE", "WHEN", "DETAIL"});
  for (const v1::OrderOutcome& outcome : found.outcomes()) {
    const auto name = names.find(outcome.host_id());
    std::string detail = outcome.message();
    if (outcome.has_receipt())
      StrAppend(&detail, detail.empty() ? "" : "; ", DescribeReceipt(outcome.receipt()));
    table.Add({name == names.end() ? outcome.host_id() : name->second, WordOf(outcome.state()),
               Ago(outcome.time_unix_nanos(), tool.Now()), detail});
  }
  tool.Print(table.Text());
}

// Who signed it, verified here; without the trust bundle, or for an order that is past, by what is stored.
std::string SignedByInWords(Tool& tool, const v1::OrderSummary& summary) {
  std::string ids;
  for (const v1::Signature& each : summary.order().signatures()) {
    StrAppend(&ids, ids.empty() ? "" : ", ", Printable(each.operator_id()));
  }
  const std::string count = SignaturesInWords(summary);
  const std::string behind = count.empty() ? "" : StrCat(" (", count, ")");
  const absl::StatusOr<const FollowedTrust*> trust = tool.Trust();
  if (!trust.ok()) {
    tool.Say(StrCat("warning: signatures are not verified: ", Message(trust.status())));
    return StrCat(ids, behind);
  }
  const absl::StatusOr<Signers> signers = SignersOf(summary.order(), (*trust)->bundle);
  if (!signers.ok()) return StrCat(ids, behind);
  std::string text = StrCat(Printable(NamesOf(signers->have)), behind);
  for (const std::string& idle : signers->idle) StrAppend(&text, "\n          ", Printable(idle));
  if (summary.proposal() == v1::PROPOSAL_STATE_OPEN) {
    StrAppend(&text, "\nmay sign  ", Printable(NamesOf(signers->may)));
  }
  return text;
}

absl::StatusOr<ExitCode> Show(Tool& tool, const std::string& id) {
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  CORDON_ASSIGN_OR_RETURN(const v1::GetOrderResponse found, client->GetOrder(id));
  if (tool.Json()) {
    boost::json::object line = SummaryJson(found.summary());
    boost::json::array& outcomes = line["outcomes"].emplace_array();
    for (const v1::OrderOutcome& outcome : found.outcomes()) outcomes.emplace_back(ToJson(outcome));
    tool.Print(line);
    return ExitCode::kDone;
  }
  const v1::Order order = Inside(found.summary());
  tool.Print(StrCat(
      "order     ", order.order_id(), "\naction    ", Printable(DescribeAction(order)), "\ntarget    ",
      Printable(DescribeTarget(order.target())), "\nreason    ", Printable(order.reason()), "\nincident  ",
      Printable(order.incident()), "\nsubmitted ", FormatTime(found.summary().submitted_unix_nanos()), " by ",
      Printable(found.summary().submitted_by()), "\nexpires   ", FormatTime(order.expiry_unix_nanos()),
      "\nsigned by ", SignedByInWords(tool, found.summary()), "\n\n"));
  CORDON_ASSIGN_OR_RETURN(const auto names, HostNames(*client));
  ShowOutcomes(tool, found, names);
  return ExitCode::kDone;
}

absl::StatusOr<ExitCode> Watch(Tool& tool, const std::string& id, const std::string& timeout) {
  int64_t nanos = 0;
  if (!timeout.empty()) {
    CORDON_ASSIGN_OR_RETURN(nanos, ParseDuration(timeout));
  }
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  return FollowOrder(tool, *client, id, nanos);
}

}  // namespace

void AddOrders(CLI::App* app, Command* chosen) {
  CLI::App* const orders = app->add_subcommand("orders", "Orders, their signatures, and what became of them");
  const auto limit = std::make_shared<uint32_t>(100);
  const auto id = std::make_shared<std::string>();
  const auto timeout = std::make_shared<std::string>();
  const auto approval = std::make_shared<ApproveOptions>();
  const auto reason = std::make_shared<std::string>();
  orders->require_subcommand(0, 1);

  CLI::App* const list = orders->add_subcommand("list", "The newest orders (also: no command)");
  list->add_option("--limit", *limit, "How many")->check(CLI::Range(1U, 1'000U));
  CLI::App* const show = orders->add_subcommand("show", "One order, with its outcome on each host");
  CLI::App* const watch = orders->add_subcommand("watch", "Follow one order to its end");
  watch->add_option("--timeout", *timeout, "How long (else until its end)");
  CLI::App* const approve = orders->add_subcommand("approve", "Sign an order that needs more signatures");
  approve->add_option("--timeout", approval->timeout, "How long --wait waits")->default_str("60s");
  approve->add_flag("--wait", approval->wait, "Wait for every host's outcome");
  approve->add_flag("--yes", approval->yes, "Do not ask");
  CLI::App* const withdraw =
      orders->add_subcommand("withdraw", "End an order that still needs signatures; it does nothing then");
  withdraw->add_option("--reason", *reason, "Why; stands in the audit log")->required();
  for (CLI::App* const each : {show, watch, approve, withdraw}) {
    each->add_option("ID", *id, "Id of the order")->required();
  }
  orders->callback([=] {
    if (show->parsed()) {
      *chosen = [=](Tool& tool) { return Show(tool, *id); };
    } else if (watch->parsed()) {
      *chosen = [=](Tool& tool) { return Watch(tool, *id, *timeout); };
    } else if (approve->parsed()) {
      *chosen = [=](Tool& tool) { return ApproveOrder(tool, *id, *approval); };
    } else if (withdraw->parsed()) {
      *chosen = [=](Tool& tool) { return WithdrawOrder(tool, *id, *reason); };
    } else {
      *chosen = [=](Tool& tool) { return List(tool, *limit); };
    }
  });
}

}  // namespace cordon::ctl
