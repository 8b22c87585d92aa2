#include "agent/link/channel.h"

#include <grpc/grpc.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include "agent/link/socket_mutator.h"
#include "common/base/status.h"
#include "common/rpc/compression.h"

namespace cordon::agent {
namespace {

constexpr int kMaxMessageBytes = 5 * 1024 * 1024;  // a SignedOrder is at most 4 MiB
constexpr int kMaxMetadataBytes = 16 * 1024;

int Millis(std::chrono::nanoseconds time) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

std::string Target(const Endpoint& endpoint) {
  return StrCat(endpoint.address.is_v6() ? "ipv6:" : "ipv4:", FormatEndpoint(endpoint));
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ChannelRequest& request) {
  grpc::ChannelArguments arguments;
  CORDON_RETURN_IF_ERROR(TagSocketsOf(&arguments));
  arguments.SetSslTargetNameOverride(request.tls_name);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY,
                   0);  // a proxy is a way around the permit, and cut by isolation
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, Millis(request.connect_timeout));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Millis(request.keepalive_interval));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Millis(request.keepalive_timeout));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);  // the link has its own
  arguments.SetServiceConfigJSON("{}");
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  RefuseCompression(arguments);
  return grpc::CreateCustomChannel(Target(request.endpoint), MakeChannelCredentials(request.tls), arguments);
}

}  // namespace cordon::agent
