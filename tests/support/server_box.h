#pragma once

// The controller's server in the test's own process: real gRPC over mutual TLS 1.3 on loopback, a real store
// and CA in a folder of its own. And clients for it, which know nothing but the contract.

#include <grpcpp/create_channel.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/strings.h"
#include "common/rpc/status.h"
#include "common/rpc/tls.h"
#include "controller/pki/pki.h"
#include "controller/server/server.h"
#include "controller/store/sqlite_store.h"
#include "cordon/v1/gateway.grpc.pb.h"
#include "cordon/v1/operator.grpc.pb.h"
#include "tests/fakes/shifted_clock.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_fleet.h"
#include "tests/support/test_orders.h"

namespace cordon::testing {

inline constexpr std::chrono::seconds kCallPatience(30);

inline void SetPatience(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + kCallPatience);
}

// Makes one call: Call([&](auto* context) { return stub->GetFleet(context, request, &response); }).
template <typename Run>
absl::Status Call(Run run) {
  grpc::ClientContext context;
  SetPatience(context);
  return FromGrpcStatus(run(&context));
}

// A stream, read one message after the other. Hangs up when it dies.
template <typename Stream, typename Response>
class StreamClient {
 public:
  template <typename Open>
  explicit StreamClient(Open open) {
    SetPatience(context_);
    stream_ = open(&context_);
  }
  StreamClient(const StreamClient&) = delete;
  StreamClient& operator=(const StreamClient&) = delete;
  ~StreamClient() {
    if (ended_) return;
    context_.TryCancel();
    static_cast<void>(End());
  }

  template <typename Request>
  bool Send(const Request& request) {
    return stream_->Write(request);
  }
  // Nothing when the stream has ended.
  std::optional<Response> Read() {
    Response response;
    if (!stream_->Read(&response)) return std::nullopt;
    return response;
  }
  // What the server ends it with; passes over what comes before.
  absl::Status End() {
    while (Read()) {
    }
    ended_ = true;
    return FromGrpcStatus(stream_->Finish());
  }
  // Says that nothing more comes, and waits for the end.
  absl::Status HangUp() {
    stream_->WritesDone();
    return End();
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
  bool ended_ = false;
};

using ControlClient =
    StreamClient<grpc::ClientReaderWriter<v1::ControlRequest, v1::ControlResponse>, v1::ControlResponse>;
using TelemetryClient = StreamClient<grpc::ClientReaderWriter<v1::TelemetryRequest, v1::TelemetryResponse>,
                                     v1::TelemetryResponse>;
template <typename Response>
using ReadClient = StreamClient<grpc::ClientReader<Response>, Response>;

struct TestHost {
  std::string id;
  TlsIdentity tls;
  std::shared_ptr<v1::AgentGateway::Stub> gateway;

  std::unique_ptr<ControlClient> Control() const {
    return std::make_unique<ControlClient>([&](auto* context) { return gateway->Control(context); });
  }
  std::unique_ptr<TelemetryClient> Telemetry() const {
    return std::make_unique<TelemetryClient>([&](auto* context) { return gateway->Telemetry(context); });
  }
};

inline v1::ControlRequest HelloOf(const std::string& name, const std::string& session_id = NewUuid()) {
  v1::ControlRequest request;
  request.mutable_hello()->mutable_facts()->set_host_name(name);
  request.mutable_hello()->set_boot_id(NewUuid());
  request.mutable_hello()->set_session_id(session_id);
  return request;
}

class ServerBox {
 public:
  // `more` changes the fleet's first trust bundle.
  explicit ServerBox(
      controller::ServerOptions options = {},
      const std::function<void(v1::TrustBundle&)>& more = [](v1::TrustBundle&) {}) {
    Must(RequireTls13());
    v1::TrustBundle bundle;
    bundle.ParseFromString(fleet_.Trust().bundle());
    more(bundle);
    v1::SignedTrustBundle trust;
    trust.set_bundle(bundle.SerializeAsString());
    Must(controller::Pki::Create(folder_ / "pki", {fleet_.FleetId(), fleet_.Organisation(), {"127.0.0.1"}},
                                 clock_));
    pki_ = Must(controller::Pki::Load(folder_ / "pki", clock_));
    const std::filesystem::path file = folder_ / "store.db";
    Must(controller::CreateSqliteStore(file, {fleet_.FleetId(), fleet_.Organisation(), trust}, clock_));
    store_ = Must(controller::OpenSqliteStore(file, clock_));
    options_ = std::move(options);
    options_.listen = "127.0.0.1:0";
    options_.controllers = {"127.0.0.1:8443"};
    server_ = Must(controller::Server::Start(options_, *store_, *pki_, clock_));
  }

  // As when the service is stopped; the store can still be used.
  void StopServer() {
    options_.listen = StrCat("127.0.0.1:", server_->Port());
    server_.reset();
  }
  // Again at the same port, with the store opened anew; `while_closed` may change its file.
  void StartServer(const std::function<void()>& while_closed = [] {}) {
    store_.reset();
    while_closed();
    store_ = Must(controller::OpenSqliteStore(StoreFile(), clock_));
    server_ = Must(controller::Server::Start(options_, *store_, *pki_, clock_));
    operator_.reset();
  }

  ShiftedClock& Time() { return clock_; }
  controller::Store& Store() { return *store_; }
  std::filesystem::path StoreFile() const { return folder_ / "store.db"; }
  controller::Pki& Ca() { return *pki_; }
  controller::Server& Server() { return *server_; }
  const TestFleet& Fleet() const { return fleet_; }  // its CA is a stranger's here; its operator is ours

  std::shared_ptr<grpc::Channel> Connect(const TlsIdentity& tls) const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // never another identity's connection
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // what nobody reads stays with the server
    return grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(server_->Port()),
                                     MakeChannelCredentials(tls), arguments);
  }
  std::unique_ptr<v1::AgentGateway::Stub> Gateway(const TlsIdentity& tls) const {
    return v1::AgentGateway::NewStub(Connect(tls));
  }
  std::unique_ptr<v1::Operator::Stub> OperatorStub(const TlsIdentity& tls) const {
    return v1::Operator::NewStub(Connect(tls));
  }

  TlsIdentity Tls(const controller::IssuedKeyPair& pair) const {
    return {pki_->CaPem(), pair.certificate.pem, pair.key_pem};
  }
  TlsIdentity OperatorTls() const { return OperatorTls(fleet_.OperatorId()); }
  TlsIdentity OperatorTls(const std::string& operator_id) const {
    const KeyPtr key = Must(NewTlsKey());
    return {pki_->CaPem(), Must(pki_->IssueOperator(operator_id, *key)).pem, Must(PrivateKeyToPem(*key))};
  }
  TlsIdentity BootstrapTls(const v1::EnrollmentFile& file) const {
    return {file.ca_pem(), file.bootstrap_certificate_pem(), file.bootstrap_key_pem()};
  }

  v1::Operator::Stub& Operator() {
    if (!operator_) operator_ = OperatorStub(OperatorTls());
    return *operator_;
  }

  v1::EnrollmentFile MakeEnrollment(uint32_t uses = 1, const std::string& site = "leeds") {
    v1::CreateEnrollmentRequest request;
    request.set_site(site);
    request.set_uses(uses);
    request.set_length_nanos(TestFleet::kHour);
    v1::CreateEnrollmentResponse response;
    Must(Call([&](auto* context) { return Operator().CreateEnrollment(context, request, &response); }));
    return response.file();
  }

  static v1::EnrollRequest EnrollRequestFor(const v1::EnrollmentFile& file, EVP_PKEY& key,
                                            const std::string& name = "reception-1") {
    v1::EnrollRequest request;
    request.set_enrollment_id(file.enrollment_id());
    request.set_token(file.token());
    request.set_csr_der(Must(MakeCsrDer(key)));
    request.mutable_facts()->set_host_name(name);
    return request;
  }

  // A host that has enrolled over the wire.
  TestHost AddHost(const std::string& name = "reception-1", const std::string& site = "leeds") {
    const v1::EnrollmentFile file = MakeEnrollment(1, site);
    const KeyPtr key = Must(NewTlsKey());
    const v1::EnrollRequest request = EnrollRequestFor(file, *key, name);
    v1::EnrollResponse response;
    const auto stub = Gateway(BootstrapTls(file));
    Must(Call([&](auto* context) { return stub->Enroll(context, request, &response); }));
    TestHost host;
    host.id = response.host_id();
    host.tls = {file.ca_pem(), response.certificate_pem(), Must(PrivateKeyToPem(*key))};
    host.gateway = Gateway(host.tls);
    return host;
  }

  v1::SignedOrder Signed(const v1::Order& order) const {
    v1::SignedOrder signed_order;
    signed_order.set_order(order.SerializeAsString());
    *signed_order.add_signatures() =
        Must(SignOrder(signed_order.order(), fleet_.OperatorId(), fleet_.OperatorKey()));
    return signed_order;
  }
  v1::Order IsolateHosts(const std::vector<std::string>& host_ids) const {
    v1::Order order = IsolateOrder(fleet_.FleetId());
    order.clear_target();
    for (const std::string& id : host_ids) order.mutable_target()->add_hosts()->set_host_id(id);
    return order;
  }
  absl::Status Submit(const v1::SignedOrder& signed_order, v1::SubmitOrderResponse* response) {
    v1::SubmitOrderRequest request;
    *request.mutable_order() = signed_order;
    return Call([&](auto* context) { return Operator().SubmitOrder(context, request, response); });
  }

  std::vector<v1::AuditEntry> Audit() {
    std::vector<v1::AuditEntry> entries;
    Must(store_->ReadAudit(1, [&](v1::AuditEntry&& entry) {
      entries.push_back(std::move(entry));
      return true;
    }));
    return entries;
  }

 private:
  TempFolder folder_;
  ShiftedClock clock_;
  TestFleet fleet_;
  std::unique_ptr<controller::Pki> pki_;
  controller::ServerOptions options_;
  std::unique_ptr<controller::Store> store_;
  std::unique_ptr<controller::Server> server_;
  std::unique_ptr<v1::Operator::Stub> operator_;
};

}  // namespace cordon::testing
