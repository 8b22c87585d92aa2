#include "controller/server/authorize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "common/base/status.h"

namespace cordon::controller {
namespace {

constexpr std::string_view kFleet = "b6a7c1de-0000-4000-8000-000000000000.cordon";
constexpr std::string_view kId = "11111111-2222-4333-8444-555555555555";

struct Row {
  std::string_view method;
  bool bootstrap, host, operator_, controller;
};

std::ostream& operator<<(std::ostream& out, const Row& row) {
  return out << row.method;
}

class Authorization : public ::testing::TestWithParam<Row> {
 protected:
  bool May(IdentityKind kind, std::string_view organisation = kFleet) const {
    const Identity caller{kind, std::string(organisation), std::string(kId)};
    return Authorize(caller, kFleet, GetParam().method).ok();
  }
};

TEST_P(Authorization, AUT2_IsByTheKindOfCertificate) {
  EXPECT_EQ(May(IdentityKind::kBootstrap), GetParam().bootstrap);
  EXPECT_EQ(May(IdentityKind::kHost), GetParam().host);
  EXPECT_EQ(May(IdentityKind::kOperator), GetParam().operator_);
  EXPECT_EQ(May(IdentityKind::kController), GetParam().controller);
}

TEST_P(Authorization, AUT2_OfAnotherOrganisationIsAlwaysRefused) {
  for (const IdentityKind kind :
       {IdentityKind::kBootstrap, IdentityKind::kHost, IdentityKind::kOperator, IdentityKind::kController}) {
    EXPECT_FALSE(May(kind, "other.cordon"));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Methods, Authorization,
    ::testing::Values(
        // method, bootstrap, host, operator, controller
        Row{"/cordon.v1.AgentGateway/Enroll", true, false, false, false},
        Row{"/cordon.v1.AgentGateway/Renew", false, true, false, false},
        Row{"/cordon.v1.AgentGateway/Control", false, true, false, false},
        Row{"/cordon.v1.AgentGateway/Telemetry", false, true, false, false},
        Row{"/cordon.v1.AgentGateway/EnrollX", false, true, false, false},
        Row{"/cordon.v1.Operator/ListHosts", false, false, true, false},
        Row{"/cordon.v1.Operator/SubmitOrder", false, false, true, false},
        Row{"/cordon.v1.LocalAgent/GetStatus", false, false, false, false},
        Row{"/grpc.health.v1.Health/Check", true, true, true, true},
        Row{"/grpc.health.v1.Health/Watch", false, false, true, false},
        Row{"/grpc.health.v1.Health/List", false, false, false, false},
        Row{"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", false, false, true, false},
        Row{"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", false, false, true, false},
        Row{"", false, false, false, false}, Row{"/cordon.v1.Operator", false, false, false, false}));

TEST(Authorize, SaysWhatTheCertificateIsAndMayCall) {
  const Identity host{IdentityKind::kHost, std::string(kFleet), std::string(kId)};
  const absl::Status refused = Authorize(host, kFleet, "/cordon.v1.Operator/SubmitOrder");
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(
      Message(refused),
      "a host certificate may not call /cordon.v1.Operator/SubmitOrder: it may call AgentGateway's Renew, "
      "Control and Telemetry");
}

TEST(ActorName, NamesKindAndId) {
  EXPECT_EQ(ActorName({IdentityKind::kOperator, std::string(kFleet), std::string(kId)}),
            "operator/11111111-2222-4333-8444-555555555555");
}

}  // namespace
}  // namespace cordon::controller
