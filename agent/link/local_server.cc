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
constexpr std::chrono::seconds kUnlockPatience(30);  // the kernel's rules are changed before the answer comes
constexpr int kMaxRequestBytes = 64 * 1024;

absl::Status Failed(std::string_view what, const std::filesystem::path& path, const std::error_code& error) {
  return absl::UnavailableError(StrCat("cannot ", what, " ", path.string(), ": ", error.message()));
}

class LocalAgentService final : public v1::LocalAgent::CallbackService {
 public:
  explicit LocalAgentService(LocalCalls calls) : calls_(std::move(calls)) {}

  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const v1::GetStatusRequest* /*request*/,
                                      v1::GetStatusResponse* response) override {
    *response = calls_.status();
    auto* reactor = context->DefaultReactor();
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
  // The reactor and `response` live until Finish, also when the caller has gone.
  template <typename Request, typename Response>
  static grpc::ServerUnaryReactor* Answer(const LocalCalls::Async<Request, Response>& call,
                                          grpc::CallbackServerContext* context, const Request& request,
                                          Response* response) {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
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
};

class GrpcLocalServer final : public LocalServer {
 public:
  GrpcLocalServer(std::filesystem::path socket, LocalCalls calls)
      : socket_(std::move(socket)), service_(std::move(calls)) {}

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

template <typename Request, typename Response>
absl::StatusOr<Response> CallAgent(const std::filesystem::path& socket,
                                   grpc::Status (v1::LocalAgent::Stub::*method)(grpc::ClientContext*,
                                                                                const Request&, Response*),
                                   const Request& request, std::chrono::seconds patience) {
  const auto channel =
      grpc::CreateChannel(StrCat("unix:", socket.string()), grpc::InsecureChannelCredentials());
  const auto stub = v1::LocalAgent::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + patience);
  Response response;
  const absl::Status status = FromGrpcStatus((stub.get()->*method)(&context, request, &response));
  if (status.ok()) return response;
  if (!absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status)) return status;
  return Annotate(status, StrCat("no agent answers on ", socket.string()));
}

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

absl::StatusOr<std::unique_ptr<LocalServer>> LocalServer::Start(const std::filesystem::path& socket,
                                                                LocalCalls calls) {
  if (!std::filesystem::exists(socket.parent_path())) {
    CORDON_RETURN_IF_ERROR(platform::MakePrivateFolder(socket.parent_path()));
  }
  CORDON_RETURN_IF_ERROR(CheckPlace(socket));
  auto server = std::make_unique<GrpcLocalServer>(socket, std::move(calls));
  CORDON_RETURN_IF_ERROR(server->Listen());
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
