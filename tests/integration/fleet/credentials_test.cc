// The controller's certificate, the agent's certificate and an order's signature, each wrong in turn.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/base/clock.h"
#include "common/base/uuid.h"
#include "common/crypto/key.h"
#include "common/crypto/x509.h"
#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

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
  const CommandResult hosts = fleet.TryCtl({"hosts"});
  EXPECT_EQ(hosts.status, 1);
  Subprocess agent({Fleet::Program("cordon-agent"), "run", "--config", fleet.Folder("agent.toml").string()},
                   {.net_namespace = fleet.Host().Name()});
  const auto status = [&] {
    return RunCommand(
               {Fleet::Program("cordon-agent"), "status", "--config", fleet.Folder("agent.toml").string()},
               {.net_namespace = fleet.Host().Name()})
        .output;
  };
  EXPECT_TRUE(Eventually([&] { return status().find("NOT connected") != std::string::npos; })) << status();
  std::string listed;
  EXPECT_TRUE(Eventually([&] {
    const CommandResult other = RunCommand(
        {Fleet::Program("cordonctl"), "--identity", fleet.Folder("other.identity").string(), "hosts"},
        {.net_namespace = fleet.Outside().Name()});
    listed = other.output;
    return other.status == 0;
  })) << "the impostor itself must be up";
  EXPECT_EQ(listed.find("leeds"), std::string::npos);
}

TEST(Credentials, AnOrderSignedByAStrangerHasNoEffect) {
  Fleet fleet;
  fleet.Enroll();
  fleet.StartAgent();
  // The operator's file with another signing key: a thief who has the TLS certificate alone.
  ASSERT_EQ(RunCommand({Fleet::Program("cordon-controller"), "init", "--data",
                        fleet.Folder("elsewhere").string(), "--name", "10.99.0.10", "--operator", "mallory",
                        "--operator-out", fleet.Folder("mallory.identity").string(), "--no-passphrase"})
                .status,
            0);
  const CommandResult refused =
      RunCommand({Fleet::Program("cordonctl"), "--identity", fleet.Folder("mallory.identity").string(),
                  "--controller", "10.99.0.10:8443", "isolate", "--all", "--level", "dark", "--fallback",
                  "hold", "--reason", "theft", "--yes", "--wait"},
                 {.net_namespace = fleet.Outside().Name()});
  EXPECT_EQ(refused.status, 1) << refused.output;
  EXPECT_FALSE(refused.errors.empty());
  // The positive control: the operator's own order has its effect.
  EXPECT_TRUE(Fleet::Connects(fleet.Host(), "10.99.0.10", 8443));
  fleet.Ctl({"isolate", "--all", "--level", "dark", "--fallback", "hold", "--reason", "test", "--yes"});
  EXPECT_TRUE(Eventually([&] { return !Fleet::Connects(fleet.Host(), "10.99.0.10", 8443); }));
}

}  // namespace
}  // namespace cordon::testing
