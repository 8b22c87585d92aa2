// The controller's certificate, the agent's certificate and an order's signature, each wrong in turn.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/base/clock.h"
#include "common/base/strings.h"
#include "common/base/uuid.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/key.h"
#include "common/crypto/x509.h"
#include "common/wire/operator_identity.h"
#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kHour = 3600 * kNanosPerSecond;

// A CA that this fleet does not know, and a host certificate from it.
struct StrangeCa {
  KeyPtr key = *NewTlsKey();
  std::string pem =
      *MakeCaCertificate(*key, "strangers.example", WallNowNanos() - kHour, WallNowNanos() + kHour);

  std::string HostCertificate(EVP_PKEY& host_key, const std::string& host_id) const {
    return *IssueForKey(*key, pem, host_key,
                        {.identity = {IdentityKind::kHost, "strangers.example", host_id},
                         .not_before_unix_nanos = WallNowNanos() - kHour,
                         .not_after_unix_nanos = WallNowNanos() + kHour});
  }
};

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(Credentials, AnAgentWithAForeignCertificateIsRefusedAndSaysSo) {
  Fleet fleet;
  fleet.Enroll();
  fleet.StartAgent();  // the positive control: with its own certificate it connects
  ASSERT_EQ(fleet.StopAgent(), 0);
  const StrangeCa strangers;
  const KeyPtr key = *PrivateKeyFromPem(ReadFile(fleet.Folder("agent") / "host.key"));
  std::ofstream(fleet.Folder("agent") / "host.crt") << strangers.HostCertificate(*key, NewUuid());
  const CommandResult run =
      RunCommand({Fleet::Program("cordon-agent"), "run", "--config", fleet.Folder("agent.toml").string()},
                 {.net_namespace = fleet.Host().Name()}, std::chrono::seconds(15));
  EXPECT_NE(run.status, 0);
  EXPECT_NE(run.errors.find("certificate"), std::string::npos) << run.errors;
}

TEST(Credentials, AControllerOfAnotherFleetIsNotTrusted) {
  Fleet fleet;
  fleet.Enroll();
  fleet.StartAgent();
  ASSERT_EQ(fleet.StopAgent(), 0);
  fleet.KillController();
  // Another fleet's controller answers at the same address.
  std::filesystem::rename(fleet.Folder("controller"), fleet.Folder("controller-away"));
  MustRun({Fleet::Program("cordon-controller"), "init", "--data", fleet.Folder("controller").string(),
           "--name", "10.99.0.10", "--port", "8443", "--operator", "mallory", "--operator-out",
           fleet.Folder("other.identity").string(), "--no-passphrase"});
  Subprocess impostor({Fleet::Program("cordon-controller"), "serve", "--data",
                       fleet.Folder("controller").string(), "--listen", "0.0.0.0:8443"},
                      {.net_namespace = fleet.Outside().Name()});
  std::string listed;
  ASSERT_TRUE(Eventually([&] {
    const CommandResult other = RunCommand(
        {Fleet::Program("cordonctl"), "--identity", fleet.Folder("other.identity").string(), "hosts"},
        {.net_namespace = fleet.Outside().Name()});
    listed = other.output;
    return other.status == 0;
  })) << "the impostor itself must be up";
  EXPECT_EQ(listed.find("leeds"), std::string::npos);
  const CommandResult hosts = fleet.TryCtl({"hosts"});
  EXPECT_EQ(hosts.status, 1);
  EXPECT_THAT(hosts.errors, HasSubstr("shows a certificate that the CA in the identity file did not issue"));
  Subprocess agent({Fleet::Program("cordon-agent"), "run", "--config", fleet.Folder("agent.toml").string()},
                   {.net_namespace = fleet.Host().Name()});
  std::string status;
  // Not for any other reason: not reached, refused by it, a certificate of its own that has ended.
  EXPECT_TRUE(Eventually([&] {
    status = RunCommand(
                 {Fleet::Program("cordon-agent"), "status", "--config", fleet.Folder("agent.toml").string()},
                 {.net_namespace = fleet.Host().Name()})
                 .output;
    return status.find("NOT connected to 10.99.0.10:8443") != std::string::npos &&
           status.find("certificate verify failed") != std::string::npos;
  })) << status;
}

// The controller is a thief's first judge. That the host judges for itself is in AgentProgramTest.AUT3_….
TEST(Credentials, AUT3_AnOrderSignedByAStrangerHasNoEffect) {
  Fleet fleet;
  fleet.Enroll();
  fleet.StartAgent();
  // A thief who has the operator's key for TLS, but not the one that signs.
  v1::OperatorIdentity identity = *ReadOperatorIdentity(ReadFile(fleet.Folder("operator.identity")));
  identity.set_signing_key_pem(*PrivateKeyToPem(**NewSigningKey()));
  std::ofstream(fleet.Folder("thief.identity")) << WriteOperatorIdentity(identity);
  const std::vector<std::string> darken = {"isolate", "--all",    "--level", "dark", "--fallback",
                                           "hold",    "--reason", "test",    "--yes"};
  const CommandResult refused = fleet.TryCtlAs("thief.identity", darken);
  EXPECT_EQ(refused.status, 1) << refused.output;
  EXPECT_THAT(refused.errors,
              HasSubstr(StrCat("order refused: the signature counts for nothing: the signature of operator ",
                               identity.operator_id(), " is not one over these bytes")));
  EXPECT_TRUE(fleet.CtlJson({"orders", "list"}).empty());
  EXPECT_TRUE(Fleet::Connects(fleet.Host(), "10.99.0.10", 8443));
  // The positive control: the operator's own order has its effect.
  fleet.Ctl(darken);
  EXPECT_TRUE(Eventually([&] { return !Fleet::Connects(fleet.Host(), "10.99.0.10", 8443); }));
}

}  // namespace
}  // namespace cordon::testing
