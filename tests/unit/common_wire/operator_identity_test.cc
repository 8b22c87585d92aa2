#include "common/wire/operator_identity.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/uuid.h"
#include "common/crypto/digest.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/pem.h"
#include "common/crypto/x25519.h"
#include "common/crypto/x509.h"

namespace cordon {
namespace {

v1::OperatorIdentity GoodIdentity() {
  constexpr int64_t kNow = 1'700'000'000 * kNanosPerSecond;
  const KeyPtr ca_key = *NewTlsKey();
  const KeyPtr key = *NewTlsKey();
  v1::OperatorIdentity identity;
  identity.set_format(1);
  identity.set_operator_id(NewUuid());
  identity.set_name("Anna");
  identity.set_fleet_id(NewUuid());
  identity.add_controllers("controller.vets.example:8443");
  identity.set_ca_pem(*MakeCaCertificate(*ca_key, "vets.example", kNow, kNow * 2));
  CertificateRequest request;
  request.identity = {IdentityKind::kOperator, "vets.example", identity.operator_id()};
  request.not_before_unix_nanos = kNow;
  request.not_after_unix_nanos = kNow * 2;
  identity.set_certificate_pem(*IssueForKey(*ca_key, identity.ca_pem(), *key, request));
  identity.set_key_pem(*PrivateKeyToPem(*key));
  identity.set_signing_key_pem(*PrivateKeyToPem(**NewSigningKey()));
  identity.set_trust_bundle_sha256(Sha256("bundle"));
  return identity;
}

TEST(OperatorIdentity, GivesBackWhatWasWritten) {
  const v1::OperatorIdentity identity = GoodIdentity();
  const auto read = ReadOperatorIdentity(WriteOperatorIdentity(identity));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), identity.SerializeAsString());
}

TEST(OperatorIdentity, AUT3_MayHoldSealedKeys) {
  v1::OperatorIdentity identity = GoodIdentity();
  identity.set_signing_key_pem(*SealPrivateKey(**NewSigningKey(), "correct horse battery"));
  identity.set_unlock_key_pem(*SealPrivateKey(**NewX25519Key(), "correct horse battery"));
  const auto read = ReadOperatorIdentity(WriteOperatorIdentity(identity));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->unlock_key_pem(), identity.unlock_key_pem());
}

TEST(OperatorIdentity, RefusesEachFieldThatIsBad) {
  const v1::OperatorIdentity good = GoodIdentity();
  const v1::OperatorIdentity other = GoodIdentity();
  const std::vector<std::function<void(v1::OperatorIdentity&)>> alterations = {
      [](auto& i) { i.set_format(2); },
      [](auto& i) { i.set_operator_id("anna"); },
      [](auto& i) { i.set_name("Anna\n"); },
      [](auto& i) { i.clear_fleet_id(); },
      [](auto& i) { i.clear_controllers(); },
      [](auto& i) { i.set_controllers(0, "no port"); },
      [](auto& i) { i.clear_ca_pem(); },
      [](auto& i) { i.clear_certificate_pem(); },
      [&](auto& i) { i.set_certificate_pem(other.certificate_pem()); },
      [&](auto& i) { i.set_key_pem(other.key_pem()); },
      [&](auto& i) { i.set_operator_id(other.operator_id()); },
      [](auto& i) { i.set_signing_key_pem(i.key_pem()); },
      [](auto& i) { i.set_unlock_key_pem(i.key_pem()); },
      [](auto& i) { i.set_trust_bundle_sha256("short"); },
  };
  for (size_t i = 0; i < alterations.size(); ++i) {
    v1::OperatorIdentity bad = good;
    alterations[i](bad);
    const auto read = ReadOperatorIdentity(WriteOperatorIdentity(bad));
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument) << "alteration " << i;
    EXPECT_TRUE(Message(read.status()).starts_with("operator identity: ")) << read.status();
  }
}

TEST(OperatorIdentity, RefusesTextThatIsCutOrOfAnotherKind) {
  const std::string text = WriteOperatorIdentity(GoodIdentity());
  for (size_t size = 0; size + 2 < text.size(); size += 41) {
    EXPECT_FALSE(ReadOperatorIdentity(std::string_view(text).substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(ReadOperatorIdentity(PemArmour("CORDON ENROLLMENT", "x")).ok());
  EXPECT_FALSE(ReadOperatorIdentity(PemArmour("CORDON OPERATOR", "\xff\xff")).ok());
  EXPECT_FALSE(ReadOperatorIdentity(std::string(kMaxOperatorIdentityBytes + 1, 'x')).ok());
}

}  // namespace
}  // namespace cordon
