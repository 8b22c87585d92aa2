#include "agent/link/socket_mutator.h"

#include <grpc/grpc.h>
#include <grpc/support/sync.h>
#include <grpcpp/grpcpp.h>
#include <spdlog/spdlog.h>

#include <string_view>

#include "common/base/status.h"
#include "platform/api/socket_tag.h"

// gRPC lets a channel take a socket mutator (ChannelArguments::SetSocketMutator) but installs no header that
// says what one is. What follows is the binary interface of gRPC 1.51's src/core/lib/iomgr/socket_mutator.h,
// and nothing more; TagSocketsOf refuses every other version of the library.
struct grpc_mutate_socket_info;

struct grpc_socket_mutator_vtable {
  bool (*mutate_fd)(int fd, grpc_socket_mutator* mutator);
  int (*compare)(grpc_socket_mutator* a, grpc_socket_mutator* b);
  void (*destroy)(grpc_socket_mutator* mutator);
  bool (*mutate_fd_2)(const grpc_mutate_socket_info* info,
                      grpc_socket_mutator* mutator);  // preferred when not null
};

struct grpc_socket_mutator {
  const grpc_socket_mutator_vtable* vtable;
  gpr_refcount refcount;
};

void grpc_socket_mutator_init(grpc_socket_mutator* mutator, const grpc_socket_mutator_vtable* vtable);

namespace cordon::agent {
namespace {

constexpr std::string_view kCoreVersion = "29.";  // libgrpc's own number for 1.51
constexpr std::string_view kCppVersion = "1.51.";

bool Tag(int fd, grpc_socket_mutator* /*mutator*/) {
  const absl::Status status = platform::TagAgentSocket(fd);
  if (!status.ok()) spdlog::error("link: {}", Message(status));
  return status.ok();
}

int CompareByAddress(grpc_socket_mutator* a, grpc_socket_mutator* b) {
  return a < b ? -1 : (a > b ? 1 : 0);
}

void Destroy(grpc_socket_mutator* mutator) {
  delete mutator;
}

constexpr grpc_socket_mutator_vtable kTagging = {Tag, CompareByAddress, Destroy, nullptr};

}  // namespace

absl::Status TagSocketsOf(grpc::ChannelArguments* arguments) {
  const std::string_view core = grpc_version_string();
  const std::string cpp = grpc::Version();
  if (!core.starts_with(kCoreVersion) || !cpp.starts_with(kCppVersion)) {
    return absl::FailedPreconditionError(StrCat("this agent tags its sockets through gRPC ", kCppVersion,
                                                "x, and the library here is ", cpp, " (core ", core,
                                                "); install the gRPC that the package names"));
  }
  auto* mutator = new grpc_socket_mutator;
  grpc_socket_mutator_init(mutator, &kTagging);
  arguments->SetSocketMutator(mutator);  // takes the reference
  return absl::OkStatus();
}

}  // namespace cordon::agent
