#pragma once

// The caller's identity, from its certificate and from nothing else (AUT-2).

#include <absl/status/statusor.h>
#include <grpcpp/security/auth_context.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/server_context.h>

#include <string>

#include "common/crypto/x509.h"

namespace cordon::controller {

// UNAUTHENTICATED when the peer has no certificate of ours.
absl::StatusOr<Identity> CallerOf(const grpc::AuthContext& context);

// The caller of a call that the gate let through.
Identity CallerOf(const grpc::CallbackServerContext& context);

// The certificate of that caller, PEM; empty when there is none.
std::string CertificatePemOf(const grpc::CallbackServerContext& context);

// Stands before every call of the server, health and reflection included: what is not authorized never
// reaches a handler.
class CallGate final : public grpc::AuthMetadataProcessor {
 public:
  explicit CallGate(std::string organisation);

  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context, OutputMetadata* consumed,
                       OutputMetadata* response) override;

 private:
  std::string organisation_;
};

}  // namespace cordon::controller
