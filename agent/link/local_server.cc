#include "agent/link/local_server.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <utility>

#include "common/base/status.h"
#include "common/base/uuid.h"
#include "common/rpc/status.h"
#include "cordon/v1/local.grpc.pb.h"
#include "platform/api/files.h"

namespace cordon::agent {
namespace {

constexpr std::chrono::seconds kPatience(3);
constexpr int kMaxRequestBytes = 64 * 1024;

absl::Status Failed(std::string_view what, const std::filesystem::path& path, const std::error_code& error) {
  return absl::UnavailableError(StrCat("cannot ", what, " ", path.string(), ": ", error.message()));
}

class LocalAgentService final : public v1::LocalAgent::CallbackService {
 public:
  explicit LocalAgentService(std::function<v1::GetStatusResponse()> status) : status_(std::move(status)) {}

  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const v1::GetStatusRequest* /*request*/,
                                      v1::GetStatusResponse* response) override {
    *response = status_();
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

 private:
  const std::function<v1::GetStatusResponse()> status_;
};

class GrpcLocalServer final : public LocalServer {
 public:
  explicit GrpcLocalServer(std::filesystem::path socket, std::function<v1::GetStatusResponse()> status)
      : socket_(std::move(socket)), service_(std::move(status)) {}

  ~GrpcLocalServer() override {
    if (!server_) return;
    server_->Shutdown(std::chrono::system_clock::now() + kPatience);
    server_->Wait();
    std::error_code ignored;
    std::filesystem::remove(socket_, ignored);
  }

  // Binds in a folder of the owner's alone and moves the finished socket into place: at no moment can anybody
  // else connect, and a stale socket is replaced in one step.
  absl::Status Listen() {
    const std::filesystem::path folder = socket_.parent_path() / StrCat(".", NewUuid().substr(0, 8));
    CORDON_RETURN_IF_ERROR(platform::MakePrivateFolder(folder));
    const absl::Status status = ListenIn(folder);
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    return status;
  }

  void SetServing(const std::string& part, bool serving) override {
    const std::lock_guard lock(mutex_);
    parts_[part] = serving;
    server_->GetHealthCheckService()->SetServingStatus(part, serving);
    const bool all = std::ranges::all_of(parts_, [](const auto& entry) { return entry.second; });
    server_->GetHealthCheckService()->SetServingStatus("", all);
  }

 private:
  absl::Status ListenIn(const std::filesystem::path& folder) {
    const std::filesystem::path socket = folder / "s";
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    builder.AddListeningPort(StrCat("unix:", socket.string()), grpc::InsecureServerCredentials());
    builder.RegisterService(&service_);
    builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
    builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);  // for reflection, which has no other form
    builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
    server_ = builder.BuildAndStart();
    if (!server_)
      return absl::UnavailableError(StrCat("cannot listen on the local socket ", socket_.string()));
    server_->GetHealthCheckService()->SetServingStatus("", false);  // until the parts have told
    std::error_code error;
    using std::filesystem::perms;
    std::filesystem::permissions(socket, perms::owner_read | perms::owner_write, error);
    if (error) return Failed("set the mode of", socket_, error);
    std::filesystem::rename(socket, socket_, error);
    if (error) return Failed("make", socket_, error);
    return absl::OkStatus();
  }

  const std::filesystem::path socket_;
  LocalAgentService service_;
  std::unique_ptr<grpc::Server> server_;
  std::mutex mutex_;
  std::map<std::string, bool> parts_;  // guarded by mutex_
};

absl::Status CheckPlace(const std::filesystem::path& socket) {
  std::error_code error;
  const auto there = std::filesystem::symlink_status(socket, error);
  if (!std::filesystem::exists(there)) return absl::OkStatus();
  if (!std::filesystem::is_socket(there)) {
    return absl::AlreadyExistsError(
        StrCat(socket.string(), " exists and is no socket; give another path for it"));
  }
  if (!absl::IsUnavailable(AskLocalAgent(socket).status())) {
    return absl::AlreadyExistsError(StrCat("another agent answers on ", socket.string()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<LocalServer>> LocalServer::Start(
    const std::filesystem::path& socket, std::function<v1::GetStatusResponse()> status) {
  if (!std::filesystem::exists(socket.parent_path())) {
    CORDON_RETURN_IF_ERROR(platform::MakePrivateFolder(socket.parent_path()));
  }
  CORDON_RETURN_IF_ERROR(CheckPlace(socket));
  auto server = std::make_unique<GrpcLocalServer>(socket, std::move(status));
  CORDON_RETURN_IF_ERROR(server->Listen());
  return server;
}

absl::StatusOr<v1::GetStatusResponse> AskLocalAgent(const std::filesystem::path& socket) {
  const auto channel =
      grpc::CreateChannel(StrCat("unix:", socket.string()), grpc::InsecureChannelCredentials());
  const auto stub = v1::LocalAgent::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  v1::GetStatusResponse response;
  const grpc::Status status = stub->GetStatus(&context, {}, &response);
  if (status.ok()) return response;
  return Annotate(FromGrpcStatus(status), StrCat("no agent answers on ", socket.string()));
}

}  // namespace cordon::agent
