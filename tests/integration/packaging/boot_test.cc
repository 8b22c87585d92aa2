// The package on a system that its own systemd boots: the units as they are shipped, with all their limits.

#include <gmock/gmock.h>

#include <sstream>

#include "tests/integration/packaging/package_fixture.h"

namespace cordon::testing {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

class BootedHost : public PackageTest {
 protected:
  void SetUp() override {
    if (const std::string why = CopiedSystem::CannotBoot(); !why.empty()) GTEST_SKIP() << why;
    ASSERT_NO_FATAL_FAILURE(PackageTest::SetUp());
    system_->Boot();
    MakeEnrollment();
  }
  void TearDown() override {
    if (HasFailure() && system_) printf("%s\n", Shell("journalctl --no-pager -n 200").output.c_str());
  }

  std::string Property(const std::string& unit, const std::string& name) const {
    const std::string value = Shell(StrCat("systemctl show -P ", name, " ", unit)).output;
    return value.substr(0, value.find('\n'));
  }
  // Kills the unit's process and waits for the next one.
  void KillUnit(const std::string& unit) const {
    const std::string before = Property(unit, "MainPID");
    ASSERT_NE(before, "0");
    ASSERT_EQ(Shell(StrCat("kill -9 ", before)).status, 0);
    ASSERT_TRUE(Eventually(
        [&] { return Property(unit, "MainPID") != before && Property(unit, "ActiveState") == "active"; },
        std::chrono::seconds(30)));
  }
};

TEST_F(BootedHost, IsEnrolledByItsFileAndEveryPartServesUnderTheUnitsLimits) {
  ASSERT_EQ(Shell("dpkg -i /mnt/old.deb").status, 0);
  EXPECT_EQ(Property("cordon-isolation.service", "ActiveState"), "active");
  EXPECT_EQ(Property("cordon-agent.service", "ActiveState"), "inactive") << "there is no enrolment yet";
  ASSERT_EQ(Shell("cp /mnt/leeds.enroll /etc/cordon/enroll").status, 0);
  ASSERT_TRUE(Connected()) << Shell("systemctl status 'cordon-*'").output;
  EXPECT_NE(Shell("test -e /etc/cordon/enroll").status, 0);
  EXPECT_EQ(Property("cordon-agent.service", "ActiveState"), "active");
  EXPECT_EQ(Property("cordon-agent.service", "NRestarts"), "0");

  // Each part but one: the sensor of processes wants the machine's own PID namespace, and says so.
  std::istringstream health(fleet_.Ctl({"health", "--prove"}));
  int parts = 0;
  for (std::string line; std::getline(health, line);) {
    if (!line.contains("cordon.")) continue;
    ++parts;
    EXPECT_THAT(line, AnyOf(HasSubstr(": ok, proven "),
                            AllOf(HasSubstr("cordon.process"), HasSubstr("PID namespace"))));
  }
  EXPECT_EQ(parts, 8);
  ASSERT_EQ(Shell("echo 'a patient' > /etc/cordon-boot-record && /bin/true --from-the-boot-test").status, 0);
  const auto arrives = [&](const std::string& event_class, const std::string& text) {
    return Eventually([&] {
      return fleet_.Ctl({"-o", "json", "events", "--class", event_class, "--since", "10m"}).contains(text);
    });
  };
  EXPECT_TRUE(arrives("process", "--from-the-boot-test"));
  EXPECT_TRUE(arrives("file", "cordon-boot-record"));
}

TEST_F(BootedHost, ISO5_TheBlockStandsThroughKillsUpgradeAndARebootBeforeTheNetwork) {
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_EQ(Shell("CORDON_ENROLL=/mnt/leeds.enroll dpkg -i /mnt/old.deb </dev/null").status, 0);
  const auto installed = std::chrono::steady_clock::now();
  ASSERT_TRUE(Eventually([&] { return !fleet_.Ctl({"-o", "json", "events", "--since", "10m"}).empty(); },
                         std::chrono::seconds(60)));
  printf(
      "[ measured ] silent install: %.1f s; from its beginning to the first event at the controller: %.1f "
      "s\n",
      std::chrono::duration<double>(installed - begun).count(),
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
  ASSERT_TRUE(Connected());
  ASSERT_TRUE(PeerReachesHost());
  Isolate();
  ASSERT_FALSE(PeerReachesHost());
  EXPECT_THAT(Shell("cordon-agent status").output, HasSubstr("isolation     essential, contained"));

  auto watch = WatchTheBlock();
  ASSERT_NO_FATAL_FAILURE(KillUnit("cordon-agent.service"));
  ASSERT_NO_FATAL_FAILURE(KillUnit("cordon-isolation.service"));
  const CommandResult upgraded = Shell("dpkg -i /mnt/new.deb </dev/null");
  ASSERT_EQ(upgraded.status, 0) << upgraded.output << upgraded.errors;
  ASSERT_TRUE(Connected());
  watch->Signal(SIGINT);
  watch->Wait();
  EXPECT_THAT(watch->Output(), HasSubstr(", 0 received, ")) << watch->Output();

  // A reboot takes the kernel's rules along, which the power switch of this test does not.
  system_->PowerOff();
  MustRun({"nft", "flush", "ruleset"}, {.net_namespace = fleet_.Host().Name()});
  ASSERT_TRUE(PeerReachesHost()) << "the positive control";
  system_->Boot();
  ASSERT_FALSE(PeerReachesHost());
  ASSERT_TRUE(Connected());
  EXPECT_THAT(Shell("cordon-agent status").output, HasSubstr("isolation     essential, contained"));
  const auto since_boot = [&](const std::string& unit) {
    return std::stoull(Property(unit, "ActiveEnterTimestampMonotonic"));
  };
  EXPECT_GT(since_boot("cordon-isolation.service"), 0U);
  EXPECT_LE(since_boot("cordon-isolation.service"), since_boot("network-pre.target"));

  // Removal, with the units running.
  const CommandResult refused = Shell("dpkg -r cordon-agent");
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.output + refused.errors, HasSubstr("this host is isolated (essential)"));
  EXPECT_EQ(Property("cordon-agent.service", "ActiveState"), "active");
  EXPECT_FALSE(PeerReachesHost());
  const CommandResult removed = Shell("CORDON_REMOVE_RELEASE=1 dpkg -r cordon-agent");
  ASSERT_EQ(removed.status, 0) << removed.output << removed.errors;
  EXPECT_TRUE(PeerReachesHost());
  EXPECT_EQ(RunCommand({"nft", "list", "tables"}, {.net_namespace = fleet_.Host().Name()}).output, "");
  EXPECT_EQ(Shell("systemctl list-units --no-legend 'cordon-*' | grep -c running").output, "0\n");
}

}  // namespace
}  // namespace cordon::testing
