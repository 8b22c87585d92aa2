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
#include "common/crypto/digest.h"
#include "common/rpc/compression.h"
#include "common/rpc/status.h"
#include "cordon/v1/local.grpc.pb.h"
#include "platform/api/files.h"
#include "platform/api/places.h"

namespace cordon::agent {
namespace {

constexpr std::chrono::seconds kPatience(3);
constexpr std::chrono::seconds kUnlockPatience(30);  // the kernel's rules are changed before the answer comes
constexpr int kMaxRequestBytes = 64 * 1024;

constexpr const char* kSecretHeader = "cordon-local-secret";

// Callers of the agent's own service show the door's secret, where it has one; health is for everybody here.
bool ShowsSecret(const grpc::CallbackServerContext& context, const std::string& secret) {
  if (secret.empty()) return true;
  const auto shown = context.client_metadata().find(kSecretHeader);
  return shown != context.client_metadata().end() &&
         ConstantTimeEquals({shown->second.data(), shown->second.size()}, secret);
}

class LocalAgentService final : public v1::LocalAgent::CallbackService {
 public:
  LocalAgentService(LocalCalls calls, std::string secret)
      : calls_(std::move(calls)), secret_(std::move(secret)) {}

  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const v1::GetStatusRequest* /*request*/,
                                      v1::GetStatusResponse* response) override {
    auto* reactor = context->DefaultReactor();
    if (!ShowsSecret(*context, secret_)) return Refuse(reactor);
    *response = calls_.status();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerUnaryReactor* BeginUnlock(grpc::CallbackServerContext* context,
                                        const v1::BeginUnlockRequest* request,
                                        v1::BeginUnlockResponse* response) override {
    return Answer(calls_.begin_unlock, context, *request, response);
  }

  grpc::ServerUnaryReactor* AnswerUnlock(grpc::CallbackServerContext* context,
                                         const v1::AnswerUnlockRequest* request,
                                         v1::AnswerUnlockResponse* response) override {
    return Answer(calls_.answer_unlock, context, *request, response);
  }

 private:
  static grpc::ServerUnaryReactor* Refuse(grpc::ServerUnaryReactor* reactor) {
    reactor->Finish(
        grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "only this host's administrators may ask"));
    return reactor;
  }

  // The reactor and `response` live until Finish, also when the caller has gone.
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Answer(const LocalCalls::Async<Request, Response>& call,
                                   grpc::CallbackServerContext* context, const Request& request,
                                   Response* response) const {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    if (!ShowsSecret(*context, secret_)) return Refuse(reactor);
    if (!call) {
      reactor->Finish(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "this agent does not offer it"));
      return reactor;
    }
    call(request, [reactor, response](const absl::StatusOr<Response>& answer) {
      if (answer.ok()) *response = *answer;
      reactor->Finish(ToGrpcStatus(answer.status()));
    });
    return reactor;
  }

  const LocalCalls calls_;
  const std::string secret_;
};

class GrpcLocalServer final : public LocalServer {
 public:
  GrpcLocalServer(std::unique_ptr<platform::LocalDoor> door, LocalCalls calls)
      : door_(std::move(door)), service_(std::move(calls), door_->Address().secret) {}

  ~GrpcLocalServer() override {
    if (!server_) return;
    server_->Shutdown(std::chrono::system_clock::now() + kPatience);
    server_->Wait();
  }

  absl::Status Listen() {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(door_->Address().address, grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
    RefuseCompression(builder);
    builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);  // for reflection, which has no other form
    builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
    server_ = builder.BuildAndStart();
    if (!server_) return absl::UnavailableError("gRPC cannot listen there");
    server_->GetHealthCheckService()->SetServingStatus("", false);  // until the parts have told
    return door_->Open(port);
  }

  void SetServing(const std::string& part, bool serving) override {
    const std::lock_guard lock(mutex_);
    parts_[part] = serving;
    server_->GetHealthCheckService()->SetServingStatus(part, serving);
    const bool all = std::ranges::all_of(parts_, [](const auto& entry) { return entry.second; });
    server_->GetHealthCheckService()->SetServingStatus("", all);
  }

 private:
  const std::unique_ptr<platform::LocalDoor> door_;
  LocalAgentService service_;
  std::unique_ptr<grpc::Server> server_;
  std::mutex mutex_;
  std::map<std::string, bool> parts_;  // guarded by mutex_
};

template <typename Request, typename Response>
absl::StatusOr<Response> CallAgent(const std::filesystem::path& socket,
                                   grpc::Status (v1::LocalAgent::Stub::*method)(grpc::ClientContext*,
                                                                                const Request&, Response*),
                                   const Request& request, std::chrono::seconds patience) {
  const absl::StatusOr<platform::LocalAddress> door = platform::FindLocalDoor(socket);
  if (!door.ok()) return Annotate(door.status(), StrCat("no agent answers on ", socket.string()));
  grpc::ChannelArguments arguments;
  RefuseCompression(arguments);
  const auto stub = v1::LocalAgent::NewStub(
      grpc::CreateCustomChannel(door->address, grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  if (!door->secret.empty()) context.AddMetadata(kSecretHeader, door->secret);
  context.set_deadline(std::chrono::system_clock::now() + patience);
  Response response;
  const absl::Status status = FromGrpcStatus((stub.get()->*method)(&context, request, &response));
  if (status.ok()) return response;
  if (!absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status)) return status;
  return Annotate(status, StrCat("no agent answers on ", socket.string()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<LocalServer>> LocalServer::Start(const std::filesystem::path& socket,
                                                                LocalCalls calls) {
  std::error_code unknown;  // what cannot be looked at, the door itself will name
  if (!std::filesystem::exists(socket.parent_path(), unknown)) {
    CORDON_RETURN_IF_ERROR(platform::MakePrivateFolder(socket.parent_path()));
  }
  if (std::filesystem::exists(socket, unknown) && !absl::IsUnavailable(AskLocalAgent(socket).status()))
    return absl::AlreadyExistsError(StrCat("another agent answers on ", socket.string()));
  CORDON_ASSIGN_OR_RETURN(auto door, platform::MakeLocalDoor(socket));
  auto server = std::make_unique<GrpcLocalServer>(std::move(door), std::move(calls));
  CORDON_RETURN_IF_ERROR(
      Annotate(server->Listen(), StrCat("cannot listen on the local socket ", socket.string())));
  return server;
}

absl::StatusOr<v1::GetStatusResponse> AskLocalAgent(const std::filesystem::path& socket) {
  return CallAgent(socket, &v1::LocalAgent::Stub::GetStatus, v1::GetStatusRequest(), kPatience);
}

absl::StatusOr<v1::BeginUnlockResponse> BeginUnlock(const std::filesystem::path& socket,
                                                    const v1::BeginUnlockRequest& request) {
  return CallAgent(socket, &v1::LocalAgent::Stub::BeginUnlock, request, kUnlockPatience);
}

absl::StatusOr<v1::AnswerUnlockResponse> AnswerUnlock(const std::filesystem::path& socket,
                                                      const v1::AnswerUnlockRequest& request) {
  return CallAgent(socket, &v1::LocalAgent::Stub::AnswerUnlock, request, kUnlockPatience);
}

}  // namespace cordon::agent
