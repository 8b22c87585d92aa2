// Who may call what, and how a host joins: over real mutual TLS (AUT-1, AUT-2).

#include <gmock/gmock.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tests/support/server_box.h"
#include "tests/support/status_matchers.h"

namespace cordon::testing {
namespace {

constexpr auto kDenied = absl::StatusCode::kPermissionDenied;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

absl::Status TryEnroll(v1::AgentGateway::Stub& stub, const v1::EnrollRequest& request,
                       v1::EnrollResponse* response) {
  return Call([&](auto* context) { return stub.Enroll(context, request, response); });
}

// An enrolment of two uses, and a host that is about to join with it.
struct Joining {
  ServerBox box;
  v1::EnrollmentFile file = box.MakeEnrollment(2);
  KeyPtr key = Must(NewTlsKey());
  v1::EnrollRequest request = ServerBox::EnrollRequestFor(file, *key);
  std::unique_ptr<v1::AgentGateway::Stub> bootstrap = box.Gateway(box.BootstrapTls(file));

  absl::Status Try(v1::EnrollResponse* response = nullptr) {
    v1::EnrollResponse ignored;
    return TryEnroll(*bootstrap, request, response != nullptr ? response : &ignored);
  }
  uint32_t Used() {
    for (const v1::Enrollment& enrollment : Must(box.Store().ListEnrollments())) {
      if (enrollment.enrollment_id() == file.enrollment_id()) return enrollment.used();
    }
    return UINT32_MAX;
  }
};

TEST(ServerEnroll, GivesAHostItsCertificateIdAndTrustBundle) {
  Joining j;
  v1::EnrollResponse response;
  ASSERT_THAT(j.Try(&response), IsOk());
  const CertificateInfo info = Must(ReadCertificate(response.certificate_pem()));
  EXPECT_EQ(info.identity, (Identity{IdentityKind::kHost, j.box.Fleet().Organisation(), response.host_id()}));
  EXPECT_THAT(CheckKeyMatches(response.certificate_pem(), *j.key), IsOk());
  EXPECT_EQ(response.trust_bundle().bundle(), j.box.Fleet().Trust().bundle());
  EXPECT_EQ(Must(j.box.Store().GetHost(response.host_id())).site, "leeds");
  EXPECT_EQ(j.Used(), 1U);
}

// A disk that was written anew has lost its key: the host joins again, under its name, as another one.
TEST(ServerEnroll, AUT2_AHostThatWasSetUpAnewIsAnotherOneThanBefore) {
  Joining j;
  v1::EnrollResponse before;
  ASSERT_THAT(j.Try(&before), IsOk());
  v1::SubmitOrderResponse submitted;
  Must(j.box.Submit(j.box.Signed(j.box.IsolateHosts({before.host_id()})), &submitted));
  const KeyPtr new_key = Must(NewTlsKey());
  j.request = ServerBox::EnrollRequestFor(j.file, *new_key);
  v1::EnrollResponse after;
  ASSERT_THAT(j.Try(&after), IsOk());
  EXPECT_EQ(j.Used(), 2U);
  EXPECT_NE(after.host_id(), before.host_id());
  EXPECT_EQ(Must(j.box.Store().GetHost(after.host_id())).facts.host_name(),
            Must(j.box.Store().GetHost(before.host_id())).facts.host_name());
  // What the old one was told is not the new one's, and what the old disk can still do ends with a
  // revocation.
  EXPECT_EQ(Must(j.box.Store().OrdersFor(before.host_id(), {})).size(), 1U);
  EXPECT_EQ(Must(j.box.Store().OrdersFor(after.host_id(), {})).size(), 0U);
  const auto greets = [&](const v1::EnrollResponse& host, const EVP_PKEY& key) {
    const auto gateway = j.box.Gateway({j.file.ca_pem(), host.certificate_pem(), Must(PrivateKeyToPem(key))});
    ControlClient control([&](auto* context) { return gateway->Control(context); });
    return control.Send(HelloOf("reception-1")) && control.Read().has_value();
  };
  EXPECT_TRUE(greets(before, *j.key));
  EXPECT_TRUE(greets(after, *new_key));
  v1::RevokeHostRequest revoke;
  revoke.set_host_id(before.host_id());
  revoke.set_reason("set up anew");
  v1::RevokeHostResponse revoked;
  Must(Call([&](auto* context) { return j.box.Operator().RevokeHost(context, revoke, &revoked); }));
  EXPECT_FALSE(greets(before, *j.key));
  EXPECT_TRUE(greets(after, *new_key));
}

TEST(ServerEnroll, AUT1_ATokenThatIsWrongOrUsedUpJoinsNobody) {
  Joining j;
  const std::string good = j.request.token();
  j.request.set_token(std::string(32, 'x'));
  EXPECT_THAT(j.Try(), Fails(kDenied, "wrong token"));
  EXPECT_EQ(j.Used(), 0U);
  const std::string csr = j.request.csr_der();
  j.request.set_csr_der("noise");
  EXPECT_THAT(j.Try(), Fails(kDenied, "wrong token")) << "nothing is made for a wrong token";
  j.request.set_csr_der(csr);
  j.request.set_token(good);
  EXPECT_THAT(j.Try(), IsOk());  // the positive control
  j.request.set_csr_der(Must(MakeCsrDer(*Must(NewTlsKey()))));
  EXPECT_THAT(j.Try(), IsOk());
  j.request.set_csr_der(Must(MakeCsrDer(*Must(NewTlsKey()))));
  EXPECT_THAT(j.Try(), Fails(kDenied, "used up"));
  EXPECT_EQ(j.Used(), 2U);
}

TEST(ServerEnroll, AUT1_ARevokedEnrolmentJoinsNobody) {
  Joining j;
  v1::RevokeEnrollmentRequest revoke;
  v1::RevokeEnrollmentResponse revoked;
  revoke.set_enrollment_id(j.file.enrollment_id());
  ASSERT_THAT(Call([&](auto* c) { return j.box.Operator().RevokeEnrollment(c, revoke, &revoked); }), IsOk());
  EXPECT_THAT(j.Try(), Fails(kDenied, "revoked"));
  revoke.set_enrollment_id("no uuid");
  EXPECT_THAT(Call([&](auto* c) { return j.box.Operator().RevokeEnrollment(c, revoke, &revoked); }),
              Fails(kInvalid, "enrollment_id"));
  revoke.set_enrollment_id(NewUuid());
  EXPECT_THAT(Call([&](auto* c) { return j.box.Operator().RevokeEnrollment(c, revoke, &revoked); }),
              Fails(absl::StatusCode::kNotFound, revoke.enrollment_id()));
}

TEST(ServerEnroll, AUT1_AnExpiredEnrolmentJoinsNobody) {
  Joining j;
  j.box.Time().Advance(TestFleet::kHour);
  EXPECT_THAT(j.Try(), Fails(absl::StatusCode::kUnauthenticated, "has ended"));
  EXPECT_EQ(j.Used(), 0U);
}

TEST(ServerEnroll, AUT1_AnEnrolmentThatIsUnknownOrNotTheCertificatesJoinsNobody) {
  Joining j;
  const v1::EnrollmentFile other = j.box.MakeEnrollment();
  j.request.set_enrollment_id(other.enrollment_id());
  j.request.set_token(other.token());
  EXPECT_THAT(j.Try(), Fails(kDenied, "of another enrolment"));
  const std::string unknown = NewUuid();
  const auto stranger =
      j.box.Gateway(j.box.Tls(Must(j.box.Ca().IssueBootstrap(unknown, WallNowNanos() + TestFleet::kHour))));
  j.request.set_enrollment_id(unknown);
  v1::EnrollResponse response;
  EXPECT_THAT(TryEnroll(*stranger, j.request, &response), Fails(kDenied, "unknown"));
}

TEST(ServerEnroll, AUT6_WhatIsOutOfBoundsTakesNoUse) {
  Joining j;
  const v1::EnrollRequest good = j.request;
  const auto refusal = [&](const std::function<void(v1::EnrollRequest&)>& spoil) {
    j.request = good;
    spoil(j.request);
    return j.Try();
  };
  EXPECT_THAT(refusal([](auto& r) { r.clear_csr_der(); }), Fails(kInvalid, "request"));
  EXPECT_THAT(refusal([](auto& r) { r.set_csr_der("noise"); }), Fails(kInvalid, "request"));
  EXPECT_THAT(refusal([](auto& r) { r.set_csr_der(std::string(17 * 1024, 'x')); }),
              Fails(kInvalid, "csr_der"));
  EXPECT_THAT(refusal([](auto& r) { r.set_token("short"); }), Fails(kInvalid, "token"));
  EXPECT_THAT(refusal([](auto& r) { r.mutable_facts()->set_host_name("a\x01"); }),
              Fails(kInvalid, "host_name"));
  EXPECT_THAT(refusal([](auto& r) {
                v1::HostFacts& facts = *r.mutable_facts();
                facts.GetReflection()->MutableUnknownFields(&facts)->AddLengthDelimited(1'000)->assign(
                    64 * 1024, 'x');
              }),
              Fails(kInvalid, "facts"));
  // An empty address takes two bytes on the wire and twenty times that in memory.
  EXPECT_THAT(refusal([](auto& r) {
                for (int i = 0; i < 70'000; ++i) r.mutable_facts()->add_addresses();
              }),
              Fails(kInvalid, "more than 131072"));
  EXPECT_THAT(refusal([](auto& r) { r.clear_enrollment_id(); }), Fails(kInvalid, "enrollment_id"));
  EXPECT_EQ(j.Used(), 0U);
  EXPECT_THAT(refusal([](auto&) {}), IsOk());  // the positive control
}

// Every kind of certificate at every kind of door.
TEST(ServerAuthority, AUT2_EachCertificateOpensItsOwnDoorAndNoOther) {
  Joining j;
  const TestHost host = j.box.AddHost();
  v1::EnrollResponse enrolled;
  EXPECT_THAT(TryEnroll(*host.gateway, j.request, &enrolled),
              Fails(kDenied, "host certificate may not call"));
  const auto gateway_of_operator = j.box.Gateway(j.box.OperatorTls());
  EXPECT_THAT(TryEnroll(*gateway_of_operator, j.request, &enrolled),
              Fails(kDenied, "operator certificate may not call"));
  EXPECT_EQ(j.Used(), 0U);

  const auto get_fleet = [](v1::Operator::Stub& stub) {
    v1::GetFleetResponse fleet;
    return Call([&](auto* c) { return stub.GetFleet(c, v1::GetFleetRequest(), &fleet); });
  };
  EXPECT_THAT(get_fleet(*j.box.OperatorStub(host.tls)), Fails(kDenied, "host certificate may not call"));
  EXPECT_THAT(get_fleet(*j.box.OperatorStub(j.box.BootstrapTls(j.file))),
              Fails(kDenied, "bootstrap certificate may not call"));
  EXPECT_THAT(get_fleet(j.box.Operator()), IsOk());  // the positive control

  const auto renew = [](v1::AgentGateway::Stub& stub) {
    v1::RenewRequest request;
    request.set_csr_der(Must(MakeCsrDer(*Must(NewTlsKey()))));
    v1::RenewResponse renewed;
    return Call([&](auto* c) { return stub.Renew(c, request, &renewed); });
  };
  EXPECT_THAT(renew(*j.bootstrap), Fails(kDenied, "bootstrap certificate may not call"));
  EXPECT_THAT(renew(*gateway_of_operator), Fails(kDenied, "operator certificate may not call"));
  EXPECT_THAT(renew(*host.gateway), IsOk());  // the positive control
}

TEST(ServerAuthority, AUT2_StreamsAskTheSameDoor) {
  Joining j;
  ControlClient as_bootstrap([&](auto* context) { return j.bootstrap->Control(context); });
  as_bootstrap.Send(HelloOf("a"));
  EXPECT_THAT(as_bootstrap.End(), Fails(kDenied, "bootstrap certificate may not call"));
  const auto gateway_of_operator = j.box.Gateway(j.box.OperatorTls());
  TelemetryClient as_operator([&](auto* context) { return gateway_of_operator->Telemetry(context); });
  EXPECT_THAT(as_operator.End(), Fails(kDenied, "operator certificate may not call"));
}

// TLS looks at a certificate's end when a connection begins, and at no time after.
TEST(ServerAuthority, AUT2_ACertificateThatEndsOpensNothingMoreOnItsConnection) {
  constexpr int64_t kDay = 24 * TestFleet::kHour;
  constexpr auto kEnded = absl::StatusCode::kUnauthenticated;
  ServerBox box;
  const TestHost host = box.AddHost();
  const auto telemetry = host.Telemetry();
  ASSERT_TRUE(telemetry->Read().has_value());
  const auto stub = box.OperatorStub(box.OperatorTls());
  v1::QueryEventsRequest query;
  query.set_follow(true);
  ReadClient<v1::QueryEventsResponse> follow([&](auto* c) { return stub->QueryEvents(c, query); });
  v1::GetFleetResponse fleet;
  const auto get_fleet = [&] {
    return Call([&](auto* c) { return stub->GetFleet(c, v1::GetFleetRequest(), &fleet); });
  };
  v1::RenewRequest renew;
  renew.set_csr_der(Must(MakeCsrDer(*Must(NewTlsKey()))));
  v1::RenewResponse renewed;
  const auto renew_host = [&] {
    return Call([&](auto* c) { return host.gateway->Renew(c, renew, &renewed); });
  };
  EXPECT_THAT(renew_host(), IsOk()) << "the positive control";

  box.Time().Advance(31 * kDay);  // a host's are good for 30
  EXPECT_THAT(telemetry->End(), Fails(kEnded, "has ended"));
  EXPECT_THAT(renew_host(), Fails(kEnded, "has ended"));
  EXPECT_THAT(get_fleet(), IsOk()) << "the operator's are good for a year";
  box.Time().Advance(335 * kDay);
  EXPECT_THAT(follow.End(), Fails(kEnded, "has ended"));
  EXPECT_THAT(get_fleet(), Fails(kEnded, "has ended"));
}

// Dropped in the handshake: no call of theirs is ever looked at.
TEST(ServerAuthority, AUT2_PeersOfAnotherCaOrWithoutACertificateAreDropped) {
  ServerBox box;
  v1::GetFleetResponse fleet;
  const auto get_fleet = [&](const TlsIdentity& tls) {
    const auto stub = box.OperatorStub(tls);
    return Call([&](auto* c) { return stub->GetFleet(c, v1::GetFleetRequest(), &fleet); });
  };
  const TestFleet::Leaf stranger = box.Fleet().Issue(IdentityKind::kOperator, box.Fleet().OperatorId());
  EXPECT_THAT(get_fleet({box.Ca().CaPem(), stranger.certificate_pem, stranger.key_pem}),
              Fails(absl::StatusCode::kUnavailable, ""));
  EXPECT_THAT(get_fleet({box.Ca().CaPem(), "", ""}), Fails(absl::StatusCode::kUnavailable, ""));
  EXPECT_THAT(get_fleet(box.OperatorTls()), IsOk());  // the positive control
}

TEST(ServerRenew, KeepsTheIdentityAndIsNoted) {
  ServerBox box;
  const TestHost host = box.AddHost();
  const KeyPtr key = Must(NewTlsKey());
  v1::RenewRequest request;
  request.set_csr_der(Must(MakeCsrDer(*key)));
  v1::RenewResponse response;
  ASSERT_THAT(Call([&](auto* c) { return host.gateway->Renew(c, request, &response); }), IsOk());
  EXPECT_EQ(Must(ReadCertificate(response.certificate_pem())).identity.id, host.id);
  EXPECT_THAT(CheckKeyMatches(response.certificate_pem(), *key), IsOk());
  EXPECT_EQ(box.Audit().back().action(), "certificate.renew");
  request.set_csr_der("noise");
  EXPECT_THAT(Call([&](auto* c) { return host.gateway->Renew(c, request, &response); }),
              Fails(kInvalid, "request"));
  // One whom the CA named but the store never saw, as after a restore from an old backup.
  const KeyPtr other = Must(NewTlsKey());
  const std::string pem = Must(box.Ca().IssueHost(Must(MakeCsrDer(*other)), NewUuid())).pem;
  const auto unknown = box.Gateway({box.Ca().CaPem(), pem, Must(PrivateKeyToPem(*other))});
  request.set_csr_der(Must(MakeCsrDer(*key)));
  EXPECT_THAT(Call([&](auto* c) { return unknown->Renew(c, request, &response); }),
              Fails(kDenied, "not known to this controller"));
}

}  // namespace
}  // namespace cordon::testing
