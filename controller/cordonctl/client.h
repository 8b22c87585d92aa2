#pragma once

// The Operator service as cordonctl calls it: mutual TLS 1.3, a deadline on every call, errors that say what
// to do.

#include <absl/status/statusor.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "controller/cordonctl/interrupt.h"
#include "controller/cordonctl/trust_pin.h"
#include "cordon/v1/operator.grpc.pb.h"

namespace cordon::ctl {

class Client {
 public:
  using Stub = v1::Operator::Stub;

  // Tries the identity's controllers one after the other. UNAVAILABLE tells why for each; PERMISSION_DENIED
  // when one serves another fleet than the identity's.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const v1::OperatorIdentity& identity);

  const v1::OperatorIdentity& Identity() const { return identity_; }
  const v1::GetFleetResponse& Fleet() const { return fleet_; }
  // Asks for the fleet again.
  absl::Status Refresh();
  // From now on the identity is pinned to this trust bundle, and has its CAs.
  void Pin(const FollowedTrust& trust);

  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                const Request& request) const {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
    Response response;
    const grpc::Status status = (stub_.get()->*method)(&context, request, &response);
    if (!status.ok()) return Explain(status);
    return response;
  }

  // Calls `on_message` for each message until the stream ends, the time passes (DEADLINE_EXCEEDED), it
  // returns false (OK), or `interrupt` is asked (CANCELLED). No time-out without a value.
  template <typename Request, typename Response>
  absl::Status Read(std::unique_ptr<grpc::ClientReader<Response>> (Stub::*method)(grpc::ClientContext*,
                                                                                  const Request&),
                    const Request& request, std::chrono::nanoseconds timeout,
                    const std::function<bool(const Response&)>& on_message,
                    Interrupt* interrupt = nullptr) const {
    grpc::ClientContext context;
    const Interrupt::Watched watched(interrupt, context);
    if (timeout.count() > 0) {
      context.set_deadline(std::chrono::system_clock::now() +
                           std::chrono::duration_cast<std::chrono::microseconds>(timeout));
    }
    const auto reader = (stub_.get()->*method)(&context, request);
    Response response;
    bool more = true;
    while (more && reader->Read(&response)) more = on_message(response);
    if (!more) context.TryCancel();
    const grpc::Status status = reader->Finish();
    if (!more || status.ok()) return absl::OkStatus();
    return Explain(status);
  }

  // See TrustHistory in trust_pin.h.
  absl::StatusOr<std::vector<v1::SignedOrder>> TrustHistory(uint64_t after_version) const;

  // An order with all of its outcomes.
  absl::StatusOr<v1::GetOrderResponse> GetOrder(const std::string& order_id) const;
  // Calls `on_order` for the newest orders, newest first, up to `limit`.
  absl::Status ListOrders(uint32_t limit, const std::function<void(const v1::OrderSummary&)>& on_order) const;

  // All hosts of the fleet.
  absl::StatusOr<std::vector<v1::Host>> ListHosts() const;

 private:
  static constexpr auto kCallTimeout = std::chrono::seconds(10);

  Client(v1::OperatorIdentity identity, std::string address);
  absl::Status Explain(const grpc::Status& status) const;

  v1::OperatorIdentity identity_;
  std::string address_;
  std::unique_ptr<Stub> stub_;
  v1::GetFleetResponse fleet_;
};

// What a failed call to the controller at `address` means for the person who made it.
absl::Status ExplainCall(const std::string& address, const grpc::Status& status);

}  // namespace cordon::ctl
