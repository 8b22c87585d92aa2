#pragma once

// The caller's identity, from its certificate and from nothing else (AUT-2).

#include <grpcpp/security/auth_context.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/server_context.h>

#include <cstdint>
#include <string>

#include "common/base/clock.h"
#include "common/crypto/x509.h"

namespace cordon::controller {

// The caller of a call that the gate let through.
Identity CallerOf(const grpc::CallbackServerContext& context);

// When that caller's certificate ends, Unix nanoseconds.
int64_t CertificateEndOf(const grpc::CallbackServerContext& context);

// The certificate of that caller, PEM; empty when there is none.
std::string CertificatePemOf(const grpc::CallbackServerContext& context);

// Stands before every call of the server, health and reflection included: what is not authorized never
// reaches a handler. A certificate that has ended opens nothing more on the connection that was made with it.
class CallGate final : public grpc::AuthMetadataProcessor {
 public:
  // `clock` outlives the gate.
  CallGate(std::string organisation, const Clock& clock);

  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context, OutputMetadata* consumed,
                       OutputMetadata* response) override;

 private:
  const std::string organisation_;
  const Clock& clock_;
};

}  // namespace cordon::controller
