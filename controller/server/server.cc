#include "controller/server/server.h"

#include <absl/status/status.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <optional>
#include <utility>

#include "common/base/status.h"
#include "common/rpc/compression.h"
#include "common/rpc/tls.h"
#include "controller/server/caller.h"
#include "controller/server/doorkeeper.h"
#include "controller/server/housekeeper.h"
#include "controller/server/server_parts.h"
#include "controller/server/services.h"
#include "platform/api/system.h"

namespace cordon::controller {
namespace {

constexpr int kMaxReceiveBytes = 5 * 1024 * 1024;  // a signed order of 4 MiB, with room
constexpr int kMaxStreamsPerConnection = 64;
constexpr int kTlsFrameBytes = 4 * 1024;  // of gRPC's own buffers, which each connection keeps
constexpr int kMaxMetadataBytes = 16 * 1024;
constexpr int kHandshakeTimeoutMs = 10'000;
constexpr int kKeepaliveMs = 20'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kMinPingIntervalMs = 5'000;  // clients ping every 10 s (design.md §4)
constexpr size_t kMemoryQuota = 1024ULL * 1024 * 1024;
constexpr int kMaxThreads = 64;  // of reflection, which holds one for each call
constexpr uint64_t kEnoughFiles = 65'536;
constexpr std::chrono::seconds kStopPatience{2};
constexpr const char* kAuditHealth = "cordon.audit";  // for grpc.health.v1

void LimitConnections(const ServerOptions& options, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  RefuseCompression(builder);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeoutMs);
  // Agents always hold a stream, and cordonctl connects again; who does neither holds a descriptor for
  // nothing.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                             static_cast<int>(options.idle_connection_nanos / kNanosPerMilli));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_TSI_MAX_FRAME_SIZE, kTlsFrameBytes);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);  // a record of each connection, which nobody reads
  grpc::ResourceQuota quota("controller");
  quota.Resize(kMemoryQuota);
  quota.SetMaxThreads(kMaxThreads);
  builder.SetResourceQuota(quota);
  // Without these, there would be a waiting thread for each core, and on a large machine more than there may
  // be.
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
}

// How many files this process may have open now.
uint64_t MakeRoomForConnections() {
  const uint64_t limit = platform::RaiseOpenFileLimit();
  if (limit >= kEnoughFiles) return limit;
  spdlog::warn(
      "this process may open {} files only, a few for each host; for a large fleet set LimitNOFILE=1048576 "
      "in its "
      "unit, or 'ulimit -n 1048576'",
      limit);
  return limit;
}

}  // namespace

class Server::Parts {
 public:
  Parts(const ServerOptions& options, Store& store, const Pki& pki, const Clock& clock)
      : shared_(options, store, pki, clock), gateway_(shared_), operator_(shared_) {}

  absl::Status Listen() {
    const Pki& pki = shared_.pki;
    const std::shared_ptr<grpc::ServerCredentials> credentials =
        MakeServerCredentials({pki.BelievedCaPem(), pki.ControllerCertificatePem(), pki.ControllerKeyPem()});
    credentials->SetAuthMetadataProcessor(std::make_shared<CallGate>(pki.Organisation(), shared_.clock));
    CORDON_ASSIGN_OR_RETURN(
        doorkeeper_, Doorkeeper::Open(shared_.options.listen, shared_.options.door_limits, shared_.clock));
    grpc::ServerBuilder builder;
    LimitConnections(shared_.options, builder);
    acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials);
    builder.RegisterService(&gateway_);
    builder.RegisterService(&operator_);
    server_ = builder.BuildAndStart();
    if (!server_)
      return absl::InternalError("gRPC does not start; its own log says why (GRPC_VERBOSITY=info)");
    doorkeeper_->Start([this](int fd) {
      grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
      connection.fd = fd;
      acceptor_->HandleNewConnection(&connection);
    });
    using Health = Housekeeper::Health;
    housekeeper_.emplace(shared_, [this, told = std::optional<Health>()](const Health& health) mutable {
      if (std::exchange(told, health) == health) return;  // who watches would hear it again
      grpc::HealthCheckServiceInterface* const service = server_->GetHealthCheckService();
      service->SetServingStatus("", health.store);  // without a name, it would be that of every name
      service->SetServingStatus(kAuditHealth, health.audit);
    });
    return absl::OkStatus();
  }

  int Port() const { return doorkeeper_->Port(); }

  // In this order: no new calls, open ones end, what they left is committed.
  void Stop() {
    if (!server_) return;
    doorkeeper_->Stop();
    shared_.streams.EndAll({grpc::StatusCode::UNAVAILABLE, "the controller is stopping: connect again"});
    server_->Shutdown(std::chrono::system_clock::now() + kStopPatience);
    housekeeper_->Stop();
    shared_.readers.Stop();
    shared_.workers.Stop();
    shared_.operators.Stop();
    shared_.batches.Stop();
    shared_.reports.Stop();
    server_.reset();
  }

 private:
  ServerParts shared_;
  AgentGatewayService gateway_;
  OperatorService operator_;
  std::unique_ptr<Doorkeeper> doorkeeper_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
  std::optional<Housekeeper> housekeeper_;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, Store& store, Pki& pki,
                                                      const Clock& clock) {
  ServerOptions complete = options;
  if (const uint64_t files = MakeRoomForConnections(); files > 0)
    complete.door_limits = WithFiles(complete.door_limits, files);
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  auto parts = std::make_unique<Parts>(complete, store, pki, clock);
  CORDON_RETURN_IF_ERROR(parts->Listen());
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() {
  Stop();
}

int Server::Port() const {
  return parts_->Port();
}

void Server::Stop() {
  parts_->Stop();
}

}  // namespace cordon::controller
