// Who gets a TLS certificate of an operator, over the wire (AUT-2, decision 0045): whoever has that
// operator's signing key, and nobody else.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "common/crypto/x509.h"
#include "controller/keys/operator_request.h"
#include "tests/support/server_box.h"
#include "tests/support/status_matchers.h"

namespace cordon::testing {
namespace {

using Role = v1::TrustedOperator;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kDenied = absl::StatusCode::kPermissionDenied;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr int64_t kDay = 24 * TestFleet::kHour;
constexpr int64_t kYear = 365 * kDay;

// Alex has every role; blake isolates; manager has the role trust alone. Casey has a key, and is not trusted.
struct Fixture {
  TestOperator blake;
  TestOperator manager;
  TestOperator casey;
  ServerBox box{{}, [this](v1::TrustBundle& bundle) {
                  Trust(blake, {Role::ROLE_ISOLATE}, &bundle);
                  Trust(manager, {Role::ROLE_TRUST}, &bundle);
                }};
  std::map<std::string, std::unique_ptr<v1::Operator::Stub>> stubs;

  // Signed by `signer`, in the name of `operator_id`, for a new TLS key.
  v1::OperatorRequest Request(const std::string& operator_id, EVP_PKEY& signer,
                              int64_t made_ago_nanos = 0) const {
    v1::OperatorIdentity identity;
    identity.set_operator_id(operator_id);
    identity.set_name("somebody");
    return Must(
        controller::MakeRenewal(identity, signer, *Must(NewTlsKey()), WallNowNanos() - made_ago_nanos));
  }
  v1::OperatorRequest Request(const TestOperator& person, int64_t made_ago_nanos = 0) const {
    return Request(person.id, *person.key, made_ago_nanos);
  }
  // Connected over mutual TLS with a certificate of this operator, made the first time.
  v1::Operator::Stub& By(const std::string& operator_id) {
    std::unique_ptr<v1::Operator::Stub>& stub = stubs[operator_id];
    if (!stub) stub = box.OperatorStub(box.OperatorTls(operator_id));
    return *stub;
  }
  absl::StatusOr<CertificateInfo> Ask(const std::string& caller_id, const v1::OperatorRequest& asked) {
    v1::IssueOperatorCertificateRequest request;
    *request.mutable_request() = asked;
    return Ask(caller_id, request);
  }
  absl::StatusOr<CertificateInfo> Ask(const std::string& caller_id,
                                      const v1::IssueOperatorCertificateRequest& request) {
    v1::IssueOperatorCertificateResponse response;
    const absl::Status status = Call(
        [&](auto* context) { return By(caller_id).IssueOperatorCertificate(context, request, &response); });
    if (!status.ok()) return status;
    return ReadCertificate(response.certificate_pem());
  }
  size_t Issued() {
    size_t issued = 0;
    for (const v1::AuditEntry& entry : box.Audit())
      issued += entry.action() == "operator.certificate" ? 1 : 0;
    return issued;
  }
  Identity IdentityOf(const std::string& id) const {
    return {IdentityKind::kOperator, box.Fleet().Organisation(), id};
  }
};

TEST(OperatorCertificates, AUT2_ARoleAloneGetsNobodysCertificate) {
  Fixture f;
  // The manager's own signing key, and one made for it: neither is blake's.
  const TestOperator stranger;
  for (EVP_PKEY* const signer : {f.manager.key.get(), stranger.key.get()}) {
    EXPECT_THAT(f.Ask(f.manager.id, f.Request(f.blake.id, *signer)),
                Fails(kDenied, "only the operator can ask, with the signing key that is in force"));
  }
  // Blake's name on a request that somebody else signed, blake's key on it, and blake's own with another TLS
  // key.
  v1::OperatorRequest renamed = f.Request(f.manager);
  renamed.set_operator_id(f.blake.id);
  EXPECT_THAT(f.Ask(f.manager.id, renamed), Fails(kInvalid, "not signed by the key in it"));
  v1::OperatorRequest rekeyed = f.Request(f.blake.id, *f.manager.key);
  rekeyed.set_ed25519_public_key(f.Request(f.blake).ed25519_public_key());
  EXPECT_THAT(f.Ask(f.manager.id, rekeyed), Fails(kInvalid, "not signed by the key in it"));
  v1::OperatorRequest swapped = f.Request(f.blake);
  swapped.set_csr_der(f.Request(f.manager).csr_der());
  EXPECT_THAT(f.Ask(f.manager.id, swapped), Fails(kInvalid, "not signed by the key in it"));
  EXPECT_EQ(f.Issued(), 0U);

  // The positive control: what blake signed is handed in by the manager, as when somebody joins.
  EXPECT_EQ(Must(f.Ask(f.manager.id, f.Request(f.blake))).identity, f.IdentityOf(f.blake.id));
  EXPECT_EQ(f.Issued(), 1U);
  EXPECT_EQ(f.box.Audit().back().actor(), StrCat("operator/", f.manager.id));
  EXPECT_EQ(f.box.Audit().back().subject(), StrCat("operator/", f.blake.id));
}

TEST(OperatorCertificates, AUT2_ATlsKeyAloneDoesNotRenewItself) {
  Fixture f;
  const TestOperator stranger;
  EXPECT_THAT(f.Ask(f.blake.id, f.Request(f.blake.id, *stranger.key)),
              Fails(kDenied, "only the operator can ask"));
  EXPECT_THAT(f.Ask(f.blake.id, v1::IssueOperatorCertificateRequest()),
              Fails(kInvalid, "request is missing"));
  EXPECT_EQ(f.Issued(), 0U);
  const CertificateInfo own = Must(f.Ask(f.blake.id, f.Request(f.blake)));
  EXPECT_EQ(own.identity, f.IdentityOf(f.blake.id)) << "the positive control";
  EXPECT_EQ(f.Issued(), 1U);
}

TEST(OperatorCertificates, AUT2_ARequestThatIsShownAgainLastsNoLonger) {
  Fixture f;
  const v1::OperatorRequest asked = f.Request(f.blake, 2 * kDay);
  f.By(f.manager.id);  // TLS goes by the machine's clock, which stays
  const CertificateInfo first = Must(f.Ask(f.blake.id, asked));
  f.box.Time().Advance(200 * kDay);
  // Who took the TLS key asks as somebody whose own certificate is good.
  const CertificateInfo again = Must(f.Ask(f.manager.id, asked));
  EXPECT_NEAR(static_cast<double>(again.not_after_unix_nanos),
              static_cast<double>(first.not_after_unix_nanos), 2.0 * kNanosPerSecond);
  f.box.Time().Advance(164 * kDay);
  EXPECT_THAT(f.Ask(f.manager.id, asked), Fails(kPrecondition, "would have ended"));
  const v1::OperatorRequest fresh = f.Request(f.blake, -364 * kDay);
  EXPECT_THAT(f.Ask(f.manager.id, fresh), IsOk()) << "the positive control";
}

TEST(OperatorCertificates, AUT2_ARequestOfAnotherTimeGainsNothing) {
  Fixture f;
  EXPECT_THAT(f.Ask(f.blake.id, f.Request(f.blake, -2 * TestFleet::kHour)), Fails(kInvalid, "set the clock"));
  EXPECT_THAT(f.Ask(f.blake.id, f.Request(f.blake, kYear)), Fails(kPrecondition, "have it made anew"));
  const CertificateInfo ahead = Must(f.Ask(f.blake.id, f.Request(f.blake, -TestFleet::kHour / 2)));
  EXPECT_LE(ahead.not_after_unix_nanos, f.box.Time().WallNanos() + kYear);
  const CertificateInfo older = Must(f.Ask(f.blake.id, f.Request(f.blake, 100 * kDay)));
  EXPECT_LE(older.not_after_unix_nanos, f.box.Time().WallNanos() + kYear - 100 * kDay);
}

TEST(OperatorCertificates, AUT2_AreForOperatorsInForceAlone) {
  Fixture f;
  EXPECT_THAT(f.Ask(f.manager.id, f.Request(f.casey)), Fails(absl::StatusCode::kNotFound, f.casey.id));
  EXPECT_THAT(f.Ask(f.casey.id, f.Request(f.casey)), Fails(kDenied, "not in the trust bundle in force"));
  EXPECT_THAT(f.Ask(f.blake.id, f.Request(f.manager)), Fails(kDenied, "needs the role trust"));
  EXPECT_EQ(f.Issued(), 0U);
  EXPECT_THAT(f.Ask(f.box.Fleet().OperatorId(), f.Request(f.blake)), IsOk()) << "the positive control";
}

TEST(OperatorCertificates, AUT6_WhatIsOutOfBoundsIsRefused) {
  Fixture f;
  const auto refusal = [&](auto spoil) {
    v1::OperatorRequest asked = f.Request(f.blake);
    spoil(asked);
    return f.Ask(f.blake.id, asked).status();
  };
  EXPECT_THAT(refusal([](auto& r) { r.set_operator_id("x"); }), Fails(kInvalid, "operator_id"));
  EXPECT_THAT(refusal([](auto& r) { r.set_format(2); }), Fails(kInvalid, "format 2"));
  EXPECT_THAT(refusal([](auto& r) { r.clear_csr_der(); }), Fails(kInvalid, "csr_der"));
  EXPECT_THAT(refusal([](auto& r) { r.set_csr_der(std::string(16 * 1024 + 1, 'x')); }),
              Fails(kInvalid, "csr_der"));
  EXPECT_THAT(refusal([](auto& r) { r.set_name(std::string(101, 'x')); }), Fails(kInvalid, "name"));
  EXPECT_THAT(refusal([](auto& r) { r.clear_made_unix_nanos(); }), Fails(kInvalid, "older cordonctl"));
  EXPECT_THAT(refusal([](auto& r) { r.clear_proof(); }), Fails(kInvalid, "not signed"));
  EXPECT_THAT(refusal([](auto&) {}), IsOk()) << "the positive control";
}

}  // namespace
}  // namespace cordon::testing
