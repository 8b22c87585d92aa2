#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/uuid.h"
#include "common/crypto/digest.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/key.h"
#include "common/crypto/x25519.h"
#include "common/crypto/x509.h"
#include "cordon/v1/gateway.pb.h"
#include "cordon/v1/order.pb.h"

namespace cordon::testing {

template <typename T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) throw std::runtime_error(std::string(Message(result.status())));
  return *std::move(result);
}

inline void Must(const absl::Status& status) {
  if (!status.ok()) throw std::runtime_error(std::string(Message(status)));
}

// A fleet of a test: CA, one operator, and what they issue.
class TestFleet {
 public:
  static constexpr int64_t kHour = 3'600 * kNanosPerSecond;

  TestFleet() : ca_key_(Must(NewTlsKey())), operator_key_(Must(NewSigningKey())) {
    ca_pem_ = Must(
        MakeCaCertificate(*ca_key_, Organisation(), WallNowNanos() - kHour, WallNowNanos() + 100 * kHour));
    v1::TrustBundle bundle;
    bundle.set_fleet_id(fleet_id_);
    bundle.set_version(1);
    v1::TrustedOperator* trusted = bundle.add_operators();
    trusted->set_operator_id(operator_id_);
    trusted->set_name("alex");
    trusted->set_ed25519_public_key(Must(RawPublicKey(*operator_key_)));
    trusted->set_unlock_public_key(Must(RawX25519PublicKey(*unlock_key_)));
    for (int role = v1::TrustedOperator::ROLE_ISOLATE; role <= v1::TrustedOperator::ROLE_UNLOCK; ++role) {
      trusted->add_roles(static_cast<v1::TrustedOperator::Role>(role));
    }
    trust_.set_bundle(bundle.SerializeAsString());
    v1::Signature* signature = trust_.add_signatures();
    signature->set_operator_id(operator_id_);
    signature->set_ed25519(Must(Sign(kTrustDomain, trust_.bundle(), *operator_key_)));
  }

  struct Leaf {
    std::string key_pem;
    std::string certificate_pem;
  };

  // Valid from an hour ago, or for `life` around now when given.
  Leaf Issue(IdentityKind kind, const std::string& id,
             std::chrono::nanoseconds life = std::chrono::hours(20)) const {
    const KeyPtr key = Must(NewTlsKey());
    return {Must(PrivateKeyToPem(*key)), Must(IssueForKey(*ca_key_, ca_pem_, *key, Request(kind, id, life)))};
  }

  std::string IssueHost(const std::string& csr_der, const std::string& host_id,
                        std::chrono::nanoseconds life = std::chrono::hours(20)) const {
    return Must(IssueFromCsr(*ca_key_, ca_pem_, csr_der, Request(IdentityKind::kHost, host_id, life)));
  }

  v1::EnrollmentFile MakeEnrollment(const std::string& controller) const {
    const std::string enrollment_id = NewUuid();
    const Leaf bootstrap = Issue(IdentityKind::kBootstrap, enrollment_id);
    v1::EnrollmentFile file;
    file.set_format(1);
    file.set_fleet_id(fleet_id_);
    file.add_controllers(controller);
    file.set_ca_pem(ca_pem_);
    file.set_bootstrap_certificate_pem(bootstrap.certificate_pem);
    file.set_bootstrap_key_pem(bootstrap.key_pem);
    file.set_enrollment_id(enrollment_id);
    file.set_token(std::string(32, 't'));
    file.set_trust_bundle_sha256(Sha256(trust_.bundle()));
    file.set_site("leeds");
    v1::Label* label = file.add_labels();
    label->set_key("role");
    label->set_value("front-desk");
    file.set_expiry_unix_nanos(WallNowNanos() + kHour);
    return file;
  }

  std::string Organisation() const { return fleet_id_ + ".cordon"; }
  const std::string& FleetId() const { return fleet_id_; }
  const std::string& OperatorId() const { return operator_id_; }
  const std::string& CaPem() const { return ca_pem_; }
  const v1::SignedTrustBundle& Trust() const { return trust_; }
  EVP_PKEY& OperatorKey() const { return *operator_key_; }
  EVP_PKEY& OperatorUnlockKey() const { return *unlock_key_; }
  EVP_PKEY& CaKey() const { return *ca_key_; }

 private:
  CertificateRequest Request(IdentityKind kind, const std::string& id, std::chrono::nanoseconds life) const {
    CertificateRequest request;
    request.identity = {kind, Organisation(), id};
    request.not_before_unix_nanos = WallNowNanos() - 5 * kNanosPerSecond;
    request.not_after_unix_nanos = WallNowNanos() + life.count();
    if (kind == IdentityKind::kController) {
      request.dns_names = {"controller.test"};
      request.ip_addresses = {"127.0.0.1"};
    }
    return request;
  }

  const std::string fleet_id_ = NewUuid();
  const std::string operator_id_ = NewUuid();
  KeyPtr ca_key_;
  KeyPtr operator_key_;
  KeyPtr unlock_key_ = Must(NewX25519Key());
  std::string ca_pem_;
  v1::SignedTrustBundle trust_;
};

}  // namespace cordon::testing
