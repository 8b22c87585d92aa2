#include "controller/cordonctl/client.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <array>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/rpc/compression.h"
#include "common/rpc/status.h"
#include "common/rpc/tls.h"

namespace cordon::ctl {
namespace {

constexpr int kKeepaliveMillis = 10'000;
constexpr int kKeepaliveTimeoutMillis = 5'000;
// Who waits for a controller that restarts is not to wait for two minutes more, as gRPC would let them.
constexpr int kMostBackoffMillis = 3'000;
// Lists of orders hold whole profiles; the controller is checked by its certificate before it can send
// anything.
constexpr int kMaxReceiveBytes = 256 * 1024 * 1024;
constexpr uint32_t kPageSize = 1'000;
constexpr int kMaxPages = 10'000;

bool Contains(const std::string& text, std::string_view part) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return !std::ranges::search(text, part, {}, lower, lower).empty();
}

absl::Status ExplainUnavailable(const std::string& address, const std::string& details) {
  if (Contains(details, "certificate_verify_failed") || Contains(details, "certificate verify failed") ||
      Contains(details, "peer name") || Contains(details, "hostname verification")) {
    return absl::UnavailableError(StrCat("the controller at ", address,
                                         " shows a certificate that the CA in the identity file did not "
                                         "issue for this address. Wrong address, an "
                                         "identity of another fleet, or somebody in between (",
                                         details, ")"));
  }
  if (Contains(details, "handshake") || Contains(details, "alert") || Contains(details, "ssl")) {
    return absl::UnavailableError(StrCat("the controller at ", address,
                                         " ended the TLS handshake: is the identity of this fleet? (",
                                         details, ")"));
  }
  return absl::UnavailableError(StrCat("cannot reach the controller at ", address,
                                       ": is it running, and the way to it open? (", details, ")"));
}

}  // namespace

absl::Status ExplainCall(const std::string& address, const grpc::Status& status) {
  const std::string details = Printable(status.error_message());
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return ExplainUnavailable(address, details);
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return absl::DeadlineExceededError(StrCat("the controller at ", address, " did not answer in time"));
    case grpc::StatusCode::INVALID_ARGUMENT:  // our own bad usage has been found before: this is a refusal
      return absl::FailedPreconditionError(StrCat("the controller refused: ", details));
    case grpc::StatusCode::UNIMPLEMENTED:
      return absl::UnimplementedError(StrCat("the controller at ", address,
                                             " does not know this request: it is older than this cordonctl"));
    default: {
      const absl::Status error = FromGrpcStatus(status);
      return absl::Status(error.code(), StrCat("the controller says: ", details));
    }
  }
}

Client::Client(v1::OperatorIdentity identity, std::string address)
    : identity_(std::move(identity)), address_(std::move(address)) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMillis);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMostBackoffMillis);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  RefuseCompression(arguments);
  const TlsIdentity tls{identity_.ca_pem(), identity_.certificate_pem(), identity_.key_pem()};
  stub_ = v1::Operator::NewStub(grpc::CreateCustomChannel(address_, MakeChannelCredentials(tls), arguments));
}

absl::Status Client::Explain(const grpc::Status& status) const {
  return ExplainCall(address_, status);
}

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(const v1::OperatorIdentity& identity) {
  std::string failures;
  for (const std::string& address : identity.controllers()) {
    std::unique_ptr<Client> client(new Client(identity, address));
    absl::StatusOr<v1::GetFleetResponse> fleet = client->Call(&Stub::GetFleet, v1::GetFleetRequest());
    if (fleet.ok()) {
      if (fleet->fleet_id() != identity.fleet_id()) {
        return absl::PermissionDeniedError(StrCat("the controller at ", address, " serves fleet ",
                                                  Printable(fleet->fleet_id()), ", the identity is of fleet ",
                                                  identity.fleet_id()));
      }
      client->fleet_ = *std::move(fleet);
      return client;
    }
    if (!absl::IsUnavailable(fleet.status()) && !absl::IsDeadlineExceeded(fleet.status()))
      return fleet.status();
    StrAppend(&failures, failures.empty() ? "" : "; ", Message(fleet.status()));
  }
  return absl::UnavailableError(failures.empty() ? "the identity names no controller" : failures);
}

absl::Status Client::Refresh() {
  CORDON_ASSIGN_OR_RETURN(fleet_, Call(&Stub::GetFleet, v1::GetFleetRequest()));
  return absl::OkStatus();
}

void Client::Pin(const FollowedTrust& trust) {
  PinTrust(trust, &identity_);
}

absl::StatusOr<std::vector<v1::SignedOrder>> Client::TrustHistory(uint64_t after_version) const {
  v1::GetTrustHistoryRequest request;
  request.set_after_version(after_version);
  CORDON_ASSIGN_OR_RETURN(v1::GetTrustHistoryResponse response, Call(&Stub::GetTrustHistory, request));
  return std::vector<v1::SignedOrder>(response.orders().begin(), response.orders().end());
}

absl::StatusOr<v1::GetOrderResponse> Client::GetOrder(const std::string& order_id) const {
  v1::GetOrderRequest request;
  request.set_order_id(order_id);
  CORDON_ASSIGN_OR_RETURN(v1::GetOrderResponse found, Call(&Stub::GetOrder, request));
  for (int page = 0; page < kMaxPages; ++page) {
    if (found.next_page_token().empty()) return found;
    request.set_page_token(found.next_page_token());
    CORDON_ASSIGN_OR_RETURN(v1::GetOrderResponse more, Call(&Stub::GetOrder, request));
    for (v1::OrderOutcome& outcome : *more.mutable_outcomes()) *found.add_outcomes() = std::move(outcome);
    found.set_next_page_token(more.next_page_token());
  }
  return absl::OutOfRangeError("the controller's list of outcomes does not end");
}

absl::Status Client::ListOrders(uint32_t limit,
                                const std::function<void(const v1::OrderSummary&)>& on_order) const {
  v1::ListOrdersRequest request;
  request.set_limit(limit);
  while (true) {
    CORDON_ASSIGN_OR_RETURN(const v1::ListOrdersResponse page, Call(&Stub::ListOrders, request));
    for (const v1::OrderSummary& order : page.orders()) {
      on_order(order);
      if (--limit == 0) return absl::OkStatus();
    }
    if (page.next_page_token().empty() || page.orders().empty()) return absl::OkStatus();
    request.set_limit(limit);
    request.set_page_token(page.next_page_token());
  }
}

absl::StatusOr<std::vector<v1::Host>> Client::ListHosts() const {
  std::vector<v1::Host> hosts;
  v1::ListHostsRequest request;
  request.set_page_size(kPageSize);
  for (int page = 0; page < kMaxPages; ++page) {
    CORDON_ASSIGN_OR_RETURN(v1::ListHostsResponse response, Call(&Stub::ListHosts, request));
    for (v1::Host& host : *response.mutable_hosts()) hosts.push_back(std::move(host));
    if (response.next_page_token().empty()) return hosts;
    request.set_page_token(response.next_page_token());
  }
  return absl::OutOfRangeError("the controller's list of hosts does not end");
}

}  // namespace cordon::ctl
