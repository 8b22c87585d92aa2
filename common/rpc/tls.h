#pragma once

// Mutual TLS 1.3 with the fleet's CA as the only trust anchor; the system's certificate store is never asked
// (AUT-1).

#include <absl/status/status.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

namespace cordon {

struct TlsIdentity {
  std::string ca_pem;
  std::string certificate_pem;  // own leaf
  std::string key_pem;          // of the leaf; unencrypted PKCS#8
};

// Leaves TLS 1.3 as the only version that this process's gRPC can speak, as server and as client. Call it
// first in main, before any other thread runs and before anything of gRPC is used: it sets an environment
// variable that gRPC reads once. FAILED_PRECONDITION when the variable cannot be set.
absl::Status RequireTls13();

// Peers without a certificate of the CA are dropped in the handshake.
std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(const TlsIdentity& identity);

// The server's certificate must be of the CA and name the host (or address) that the channel was made for.
std::shared_ptr<grpc::ChannelCredentials> MakeChannelCredentials(const TlsIdentity& identity);

}  // namespace cordon
