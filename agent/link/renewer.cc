#include "agent/link/renewer.h"

#include <grpcpp/client_context.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "agent/link/renewal.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/key.h"
#include "common/crypto/x509.h"
#include "common/rpc/status.h"

namespace cordon::agent {

constexpr std::chrono::seconds kCallTimeout(20);
constexpr std::chrono::nanoseconds kSoonest = std::chrono::seconds(1);

struct Renewer::Call {
  KeyPtr key;
  grpc::ClientContext context;
  v1::RenewRequest request;
  v1::RenewResponse response;
};

Renewer::Renewer(boost::asio::io_context& loop, const Clock& clock, std::filesystem::path state_dir,
                 std::chrono::nanoseconds check_interval, HostState& state, StubInUse stub_in_use,
                 std::function<void()> renewed)
    : loop_(loop),
      clock_(clock),
      state_dir_(std::move(state_dir)),
      check_interval_(check_interval),
      state_(state),
      stub_in_use_(std::move(stub_in_use)),
      renewed_(std::move(renewed)),
      timer_(loop) {}

void Renewer::Start() {
  Tick();
}

void Renewer::Stop(std::function<void()> stopped) {
  stopping_ = true;
  stopped_ = std::move(stopped);
  timer_.cancel();
  if (call_) {
    call_->context.TryCancel();
  } else {
    boost::asio::post(loop_, std::exchange(stopped_, nullptr));
  }
}

// Looks at the wall clock often rather than sleeping until the day: the clock may be set, the machine
// suspended.
void Renewer::Tick() {
  if (stopping_) return;
  const bool due =
      clock_.WallNanos() >= RenewalDue(state_.credentials) && clock_.BootNanos() >= not_before_boot_nanos_;
  v1::AgentGateway::Stub* const stub = due && !call_ ? stub_in_use_() : nullptr;
  if (stub != nullptr) {
    if (const absl::Status status = Ask(*stub); !status.ok()) Failed(status);
  }
  const std::chrono::nanoseconds to_go(RenewalDue(state_.credentials) - clock_.WallNanos());
  timer_.expires_after(
      std::clamp<std::chrono::nanoseconds>(to_go, std::min(check_interval_, kSoonest), check_interval_));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) Tick();
  });
}

absl::Status Renewer::Ask(v1::AgentGateway::Stub& stub) {
  auto call = std::make_shared<Call>();
  CORDON_ASSIGN_OR_RETURN(call->key, NewTlsKey());
  CORDON_ASSIGN_OR_RETURN(*call->request.mutable_csr_der(), MakeCsrDer(*call->key));
  call->context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  call_ = call;
  stub.async()->Renew(
      &call->context, &call->request, &call->response, [this, call](const grpc::Status& status) {
        boost::asio::post(loop_, [this, call, status] { OnAnswer(*call, FromGrpcStatus(status)); });
      });
  return absl::OkStatus();
}

void Renewer::OnAnswer(const Call& call, const absl::Status& status) {
  call_ = nullptr;
  if (stopping_) {
    // Not kept: it may hold what this renewer is part of.
    const std::function<void()> stopped = std::exchange(stopped_, nullptr);
    stopped();
    return;
  }
  const absl::Status accepted = status.ok() ? Accept(call) : status;
  if (!accepted.ok()) {
    Failed(accepted);
    return;
  }
  failures_ = 0;
  spdlog::info("link: certificate renewed, valid until {}",
               FormatTime(state_.credentials.not_after_unix_nanos));
  renewed_();
}

absl::Status Renewer::Accept(const Call& call) {
  CORDON_ASSIGN_OR_RETURN(
      HostCredentials credentials,
      CheckRenewedCertificate(state_, call.response.certificate_pem(), *call.key, clock_.WallNanos()));
  CORDON_RETURN_IF_ERROR(StoreHostCredentials(state_dir_, credentials));
  state_.credentials = std::move(credentials);
  return absl::OkStatus();
}

void Renewer::Failed(const absl::Status& why) {
  const int64_t wait = RenewalRetryNanos(state_.credentials, failures_++);
  not_before_boot_nanos_ = clock_.BootNanos() + wait;
  spdlog::warn("link: the certificate could not be renewed ({}); it is valid until {}, next try in {}",
               Printable(Message(why)), FormatTime(state_.credentials.not_after_unix_nanos),
               FormatDuration(wait));
}

}  // namespace cordon::agent
