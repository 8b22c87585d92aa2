#include "controller/cordonctl/proposal.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <map>
#include <thread>
#include <vector>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "controller/cordonctl/order_text.h"
#include "controller/cordonctl/signers.h"
#include "controller/cordonctl/table.h"
#include "controller/cordonctl/wait.h"

namespace cordon::ctl {
namespace {

constexpr auto kPause = std::chrono::milliseconds(500);

boost::json::object ProposalJson(const v1::Order& order, const Standing& standing, const Signers& signers,
                                 const std::string& command) {
  boost::json::object line = {{"order_id", order.order_id()},
                              {"hosts", standing.hosts},
                              {"action", DescribeAction(order)},
                              {"proposal", "open"},
                              {"signatures", standing.signatures},
                              {"signatures_needed", standing.signatures_needed},
                              {"approve", command}};
  boost::json::array& may = line["may_sign"].emplace_array();
  for (const v1::TrustedOperator& person : signers.may) {
    may.push_back({{"operator_id", person.operator_id()}, {"name", person.name()}});
  }
  return line;
}

}  // namespace

void ShowProposal(Tool& tool, const v1::SignedOrder& signed_order, const v1::Order& order,
                  const Standing& standing) {
  Signers signers;
  if (const auto trust = tool.Trust(); !trust.ok()) {
    tool.Say(StrCat("warning: who may sign is not known: ", Message(trust.status())));
  } else if (auto found = SignersOf(signed_order, (*trust)->bundle); found.ok()) {
    signers = *std::move(found);
  }
  const std::string command = StrCat("cordonctl orders approve ", order.order_id());
  if (tool.Json()) {
    tool.Print(ProposalJson(order, standing, signers, command));
    return;
  }
  tool.Print(StrCat("proposal ", order.order_id(), " for ", Count(standing.hosts, "host"), ": ",
                    Printable(DescribeAction(order)), "\nNothing has happened yet: it has ",
                    standing.signatures, " of ", standing.signatures_needed, " signatures. Until ",
                    FormatTime(order.expiry_unix_nanos()), " it can be signed by ",
                    Printable(NamesOf(signers.may)), ":\n  ", command, "\n"));
}

absl::StatusOr<v1::GetOrderResponse> AwaitSignatures(const Tool& tool, const Client& client,
                                                     const std::string& order_id, int64_t timeout_nanos) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(timeout_nanos);
  bool told = false;
  while (true) {
    absl::StatusOr<v1::GetOrderResponse> found = client.GetOrder(order_id);
    const bool away = absl::IsUnavailable(found.status()) || absl::IsDeadlineExceeded(found.status());
    if (!found.ok() && !away) return found;
    if (found.ok() && found->summary().proposal() != v1::PROPOSAL_STATE_OPEN) return found;
    if (timeout_nanos != 0 && std::chrono::steady_clock::now() >= deadline) return found;
    if (!told && tool.World().error_is_terminal) tool.Say("waiting for signatures");
    told = true;
    std::this_thread::sleep_for(kPause);
  }
}

absl::StatusOr<ExitCode> FollowOrder(const Tool& tool, const Client& client, const std::string& order_id,
                                     int64_t timeout_nanos, const v1::Order* known) {
  const auto start = std::chrono::steady_clock::now();
  CORDON_ASSIGN_OR_RETURN(const v1::GetOrderResponse found,
                          AwaitSignatures(tool, client, order_id, timeout_nanos));
  switch (found.summary().proposal()) {
    case v1::PROPOSAL_STATE_OPEN:
      tool.Say(
          StrCat("order ", order_id, " still waits for signatures: cordonctl orders approve ", order_id));
      return ExitCode::kNeedsSignatures;
    case v1::PROPOSAL_STATE_WITHDRAWN:
      return absl::AbortedError(
          StrCat("order ", order_id, " was withdrawn and did nothing; the audit log says by whom and why"));
    case v1::PROPOSAL_STATE_EXPIRED:
      return absl::AbortedError(StrCat("order ", order_id, " expired before it had its signatures"));
    default:
      break;
  }
  // Receipts are checked by what the hosts' certificates are (ISO-7).
  CORDON_ASSIGN_OR_RETURN(const std::vector<v1::Host> fleet, client.ListHosts());
  std::map<std::string, v1::Host> by_id;
  for (const v1::Host& host : fleet) by_id[host.host_id()] = host;
  std::vector<v1::Host> hosts;
  for (const v1::OrderOutcome& outcome : found.outcomes()) {
    v1::Host& host = hosts.emplace_back(by_id[outcome.host_id()]);
    host.set_host_id(outcome.host_id());
  }
  int64_t left = 0;
  if (timeout_nanos != 0) {
    const std::chrono::nanoseconds used = std::chrono::steady_clock::now() - start;
    left = std::max<int64_t>(timeout_nanos - used.count(), kNanosPerSecond);
  }
  v1::Order order;
  if (known != nullptr) order = *known;
  if (known == nullptr && !order.ParseFromString(found.summary().order().order())) order.Clear();
  if (order.order_id() != order_id) {
    return absl::DataLossError(StrCat("the controller shows another order in the place of ", order_id));
  }
  return WaitForOrder(tool, client, order, hosts, left);
}

}  // namespace cordon::ctl
