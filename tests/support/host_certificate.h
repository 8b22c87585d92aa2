#pragma once

#include <cstdint>
#include <string>

#include "common/base/uuid.h"
#include "common/crypto/key.h"
#include "common/crypto/x509.h"
#include "tests/support/test_fleet.h"

namespace cordon::testing {

// A host's certificate with these times, PEM, of a CA that nobody else has.
inline std::string HostCertificate(int64_t not_before_unix_nanos, int64_t not_after_unix_nanos) {
  const KeyPtr key = Must(NewTlsKey());
  const std::string ca =
      Must(MakeCaCertificate(*key, "fleet.cordon", not_before_unix_nanos, not_after_unix_nanos));
  const CertificateRequest host{
      .identity = {.kind = IdentityKind::kHost, .organisation = "fleet.cordon", .id = NewUuid()},
      .not_before_unix_nanos = not_before_unix_nanos,
      .not_after_unix_nanos = not_after_unix_nanos,
      .dns_names = {},
      .ip_addresses = {}};
  return Must(IssueForKey(*key, ca, *key, host));
}

}  // namespace cordon::testing
