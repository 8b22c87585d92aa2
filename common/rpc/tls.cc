#include "common/rpc/tls.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "common/base/strings.h"

namespace cordon {
namespace {

// gRPC 1.51's C++ API has no minimum version. This variable sets the suites of TLS 1.2 and below, and
// TLS 1.3's own suites stand beside it; a suite that needs a pre-shared key, which no handshake of ours has,
// leaves only TLS 1.3.
// It stands here for good: putenv, which every system has, takes the text itself on some.
char suites_setting[] = "GRPC_SSL_CIPHER_SUITES=PSK-AES256-GCM-SHA384";

}  // namespace

absl::Status RequireTls13() {
  if (putenv(suites_setting) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(StrCat(
      "cannot set ", suites_setting, ", without which TLS 1.2 would be accepted: ", std::strerror(errno)));
}

std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(const TlsIdentity& identity) {
  grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = identity.ca_pem;
  options.pem_key_cert_pairs.push_back({identity.key_pem, identity.certificate_pem});
  return grpc::SslServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> MakeChannelCredentials(const TlsIdentity& identity) {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = identity.ca_pem;
  options.pem_cert_chain = identity.certificate_pem;
  options.pem_private_key = identity.key_pem;
  return grpc::SslCredentials(options);
}

}  // namespace cordon
