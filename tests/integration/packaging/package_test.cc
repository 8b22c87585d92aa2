// The packages by the real dpkg and rpm with the real maintainer scripts, on a copy of this system where
// systemd does not run: the test starts and stops what the units would. With systemd: boot_test.cc.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/base/sanitizer.h"
#include "tests/integration/packaging/package_fixture.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

TEST_F(PackageTest, ISO5_IsolationOutlivesUpgradeAndRemovalRefusesOrReleasesAndRecords) {
  const CommandResult installed = Shell("dpkg -i /mnt/old.deb");
  ASSERT_EQ(installed.status, 0) << installed.output << installed.errors;
  EXPECT_EQ(Shell("stat -c %a /var/lib/cordon").output, "700\n");
  EXPECT_THAT(Shell("dpkg-query -W -f '${Conffiles}' cordon-agent").output,
              HasSubstr("/etc/cordon/agent.toml"));
  EXPECT_THAT(Shell("dpkg-query -W -f '${Depends}' cordon-agent").output, HasSubstr("libnftables1"));
  EXPECT_EQ(Shell("ls /etc/systemd/system/*.wants/ | grep -c '^cordon-'").output, "3\n")
      << "from the next boot on";

  ASSERT_NO_FATAL_FAILURE(Enrol());
  ASSERT_NO_FATAL_FAILURE(StartServices());
  ASSERT_TRUE(PeerReachesHost());
  Isolate();
  ASSERT_FALSE(PeerReachesHost());

  // Upgrade in place, with settings that somebody changed.
  const auto watch = WatchTheBlock();
  ASSERT_EQ(Shell("echo '# ours' >> /etc/cordon/agent.toml").status, 0);
  const CommandResult upgraded = Shell("dpkg -i /mnt/new.deb </dev/null");
  ASSERT_EQ(upgraded.status, 0) << upgraded.output << upgraded.errors;
  StopServices();
  ASSERT_NO_FATAL_FAILURE(StartServices());
  watch->Signal(SIGINT);
  watch->Wait();
  EXPECT_THAT(watch->Output(), HasSubstr(", 0 received, ")) << watch->Output();
  EXPECT_EQ(Shell("dpkg-query -W -f '${Version}' cordon-agent").output, "99.0");
  EXPECT_THAT(Shell("tail -n1 /etc/cordon/agent.toml").output, HasSubstr("ours"));
  EXPECT_THAT(Shell("cordon-agent status").output, HasSubstr("isolation     essential, contained"));

  // Removal is refused, and leaves everything as it is.
  const CommandResult refused = Shell("dpkg -r cordon-agent");
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.output + refused.errors, HasSubstr("this host is isolated (essential)"));
  EXPECT_THAT(refused.output + refused.errors, HasSubstr("CORDON_REMOVE_RELEASE=1"));
  EXPECT_NE(Shell("CORDON_REMOVE_RELEASE=1 dpkg -r cordon-agent").status, 0)
      << "an agent that could not be stopped runs";
  EXPECT_THAT(Shell("cordon-agent status").output, HasSubstr("isolation     essential, contained"));
  EXPECT_FALSE(PeerReachesHost());

  // Removal that releases, and records it.
  StopServices();
  EXPECT_FALSE(PeerReachesHost());
  const CommandResult removed = Shell("CORDON_REMOVE_RELEASE=1 dpkg -r cordon-agent");
  ASSERT_EQ(removed.status, 0) << removed.output << removed.errors;
  EXPECT_THAT(removed.output,
              HasSubstr("the host was isolated and has been released; a controller knows it"));
  EXPECT_TRUE(PeerReachesHost());
  EXPECT_EQ(RunCommand({"nft", "list", "tables"}, {.net_namespace = fleet_.Host().Name()}).output, "");
  const std::string events = fleet_.Ctl({"-o", "json", "events", "--class", "control", "--since", "10m"});
  EXPECT_THAT(events, HasSubstr("local release"));
  EXPECT_THAT(events, HasSubstr("has been released"));
  EXPECT_EQ(Shell("test -e /var/lib/cordon/host.key && test -e /etc/cordon/agent.toml").status, 0);

  ASSERT_EQ(Shell("dpkg -P cordon-agent").status, 0);
  EXPECT_NE(Shell("test -e /var/lib/cordon").status, 0);
  EXPECT_NE(Shell("test -e /etc/cordon").status, 0);
  EXPECT_EQ(Shell("ls /etc/systemd/system/*.wants/ | grep -c '^cordon-'").output, "0\n");
}

// In a system without systemd, as a container is, at once; with systemd cordon-enroll.path does it.
TEST_F(PackageTest, ItEnrolsSilentlyWithTheFileThatItIsGiven) {
  ASSERT_EQ(Shell("dpkg -i /mnt/old.deb").status, 0) << "without a file it installs and waits";
  EXPECT_NE(Shell("test -e /var/lib/cordon/host.crt").status, 0);
  EXPECT_THAT(Shell("ls /etc/systemd/system/*.wants/").output, HasSubstr("cordon-enroll.path"));
  MakeEnrollment();
  const CommandResult installed = Shell("CORDON_ENROLL=/mnt/leeds.enroll dpkg -i /mnt/new.deb </dev/null");
  ASSERT_EQ(installed.status, 0) << installed.output << installed.errors;
  EXPECT_THAT(installed.output, HasSubstr("enrolled at site leeds"));
  EXPECT_NE(Shell("test -e /etc/cordon/enroll").status, 0) << "nobody finds it there any more";
  ASSERT_NO_FATAL_FAILURE(StartServices());
  const CommandResult again = Shell("CORDON_ENROLL=/mnt/leeds.enroll dpkg -i /mnt/new.deb </dev/null");
  EXPECT_EQ(again.status, 0) << again.errors;
  EXPECT_THAT(again.output, HasSubstr("enrolled already"));
  StopServices();
}

// The dependencies are there; nothing is fetched, for the copy has no network but the fleet's.
TEST_F(PackageTest, AptInstallsItWithTheManualsLineAndPurgesIt) {
  MakeEnrollment();
  const CommandResult installed = Shell(
      "cd /mnt && CORDON_ENROLL=/mnt/leeds.enroll apt-get install -y ./cordon-agent_*.deb </dev/null 2>&1");
  ASSERT_EQ(installed.status, 0) << installed.output;
  EXPECT_THAT(installed.output, HasSubstr("0 upgraded, 1 newly installed, 0 to remove"));
  EXPECT_THAT(installed.output, HasSubstr("enrolled at site leeds"));
  ASSERT_NO_FATAL_FAILURE(StartServices());
  Isolate();
  const CommandResult refused = Shell("apt-get remove -y cordon-agent </dev/null 2>&1");
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.output, HasSubstr("this host is isolated (essential)"));
  EXPECT_THAT(Shell("cordon-agent status").output, HasSubstr("isolation     essential, contained"));
  StopServices();
  const CommandResult purged = Shell("CORDON_REMOVE_RELEASE=1 apt-get purge -y cordon-agent </dev/null 2>&1");
  EXPECT_EQ(purged.status, 0) << purged.output;
  EXPECT_THAT(purged.output, HasSubstr("has been released; a controller knows it"));
  EXPECT_NE(Shell("test -e /var/lib/cordon || test -e /usr/bin/cordon-agent").status, 0);
}

TEST_F(PackageTest, ItIsSmallAndBringsTheTextsOfItsLicences) {
  ASSERT_EQ(Shell("dpkg -i /mnt/old.deb").status, 0);
  const std::string kibibytes = Shell("dpkg-query -W -f '${Installed-Size}' cordon-agent").output;
  ASSERT_FALSE(kibibytes.empty());
#if !defined(CORDON_ADDRESS_SANITIZER)  // whose code is several times the size
  EXPECT_LE(std::stoul(kibibytes) * 1024, 20'000'000U) << "the budget of what is installed";
#endif
  const std::string documents = "/usr/share/doc/cordon-agent/";
  EXPECT_THAT(Shell(StrCat("cat ", documents, "copyright")).output, HasSubstr("processes.bpf.c"));
  EXPECT_THAT(Shell(StrCat("head -n 3 ", documents, "LICENSE")).output, HasSubstr("Apache License"));
  EXPECT_THAT(Shell(StrCat("head -n 5 ", documents, "GPL-2.0.txt")).output,
              HasSubstr("GNU GENERAL PUBLIC LICENSE"));
}

// With nothing of the distribution's but the kernel.
TEST_F(PackageTest, TheTarballBringsItsOwnLibraries) {
#if defined(CORDON_ADDRESS_SANITIZER)
  GTEST_SKIP() << "in a program that the package's own loader starts, the sanitizer does not find the stack";
#endif
  const std::string tree = fleet_.Folder("tree").string();
  ASSERT_NO_FATAL_FAILURE(RunPackager({"package-portable", "--tree", tree}));
  const CommandResult version =
      RunCommand({"chroot", tree, "/usr/bin/cordon-agent", "--version"}, {}, CopiedSystem::kPatience);
  EXPECT_EQ(version.status, 0) << version.errors;
  EXPECT_THAT(version.output, HasSubstr("0."));
  EXPECT_EQ(RunCommand({"chroot", tree, "/usr/libexec/cordon/cordon-keeper", "--help"}).status, 0);
  EXPECT_NE(RunCommand({"chroot", tree, "/bin/true"}).status, 0) << "there is no other library in it";
  for (const char* text : {"usr/share/doc/cordon/copyright", "usr/share/doc/cordon/GPL-2.0.txt",
                           "opt/cordon/share/licenses/libc6", "opt/cordon/share/licenses/libnftables1"})
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(tree) / text)) << text;
}

TEST_F(PackageTest, ISO5_TheTarballEnrolsIsUpgradedAndRefusesToGoFromAnIsolatedHost) {
  ASSERT_NO_FATAL_FAILURE(RunPackager({"package-portable", "--out", Shared().string()}));
  MakeEnrollment();
  const std::string unpack = "tar -C / -xzf /mnt/cordon-agent-*-linux-x86_64.tar.gz && ";
  const CommandResult installed =
      Shell(unpack + "CORDON_ENROLL=/mnt/leeds.enroll /opt/cordon/setup install </dev/null");
  ASSERT_EQ(installed.status, 0) << installed.output << installed.errors;
  EXPECT_THAT(installed.output, HasSubstr("enrolled at site leeds"));
  EXPECT_EQ(Shell("ls /etc/systemd/system/*.wants/ | grep -c '^cordon-'").output, "3\n");
  ASSERT_NO_FATAL_FAILURE(StartServices());
  ASSERT_TRUE(PeerReachesHost());
  Isolate();
  ASSERT_FALSE(PeerReachesHost());

  // The same again, over what runs, with settings that somebody changed.
  ASSERT_EQ(Shell("echo '# ours' >> /etc/cordon/agent.toml").status, 0);
  const CommandResult upgraded = Shell(unpack + "/opt/cordon/setup install </dev/null");
  ASSERT_EQ(upgraded.status, 0) << upgraded.output << upgraded.errors;
  EXPECT_FALSE(PeerReachesHost());
  EXPECT_THAT(Shell("tail -n1 /etc/cordon/agent.toml").output, HasSubstr("ours"));
  StopServices();
  ASSERT_NO_FATAL_FAILURE(StartServices());
  EXPECT_THAT(Shell("cordon-agent status").output, HasSubstr("isolation     essential, contained"));

  for (const char* way : {"remove", "purge"}) {
    const CommandResult refused = Shell(StrCat("/opt/cordon/setup ", way));
    EXPECT_NE(refused.status, 0);
    EXPECT_THAT(refused.output + refused.errors, HasSubstr("this host is isolated (essential)"));
    EXPECT_EQ(Shell("test -x /opt/cordon/bin/cordon-agent && test -e /var/lib/cordon/host.key").status, 0);
  }
  EXPECT_THAT(Shell("cordon-agent status").output, HasSubstr("isolation     essential, contained"));
  EXPECT_FALSE(PeerReachesHost());

  StopServices();
  const CommandResult removed = Shell("CORDON_REMOVE_RELEASE=1 /opt/cordon/setup remove");
  ASSERT_EQ(removed.status, 0) << removed.output << removed.errors;
  EXPECT_THAT(removed.output, HasSubstr("has been released; a controller knows it"));
  EXPECT_TRUE(PeerReachesHost());
  EXPECT_EQ(Shell("find /opt /usr /etc/systemd -path '*cordon*'").output, "");
  EXPECT_EQ(Shell("test -e /var/lib/cordon/host.key && test -e /etc/cordon/agent.toml").status, 0);
}

TEST_F(PackageTest, TheTarballFindsItsEnrolmentAgainAndPurgeTakesIt) {
  ASSERT_NO_FATAL_FAILURE(RunPackager({"package-portable", "--out", Shared().string()}));
  const std::string install =
      "tar -C / -xzf /mnt/cordon-agent-*-linux-x86_64.tar.gz && /opt/cordon/setup install </dev/null";
  ASSERT_EQ(Shell(install).status, 0) << "without an enrolment it installs and waits";
  ASSERT_NO_FATAL_FAILURE(Enrol());
  const CommandResult removed = Shell("/opt/cordon/setup remove");
  ASSERT_EQ(removed.status, 0) << removed.output << removed.errors;
  EXPECT_THAT(removed.output, HasSubstr("the host was not isolated"));
  ASSERT_EQ(Shell(install).status, 0);
  ASSERT_NO_FATAL_FAILURE(StartServices());
  StopServices();
  const CommandResult purged = Shell("/opt/cordon/setup purge");
  ASSERT_EQ(purged.status, 0) << purged.output << purged.errors;
  EXPECT_EQ(Shell("find /opt /usr /etc /var/lib -path '*cordon*'").output, "");
  EXPECT_EQ(Shell("/opt/cordon/setup purge").status, 127) << "nothing of it is left";
}

TEST_F(PackageTest, ISO5_TheRpmEnrolsIsUpgradedAndRefusesToGoFromAnIsolatedHost) {
  if (RunCommand({"sh", "-c", "command -v rpmbuild"}).status != 0)
    GTEST_SKIP() << "rpmbuild is not installed";
  ASSERT_NO_FATAL_FAILURE(RunPackager({"package-rpm", "--out", Shared().string()}));
  MakeEnrollment();
  const std::string rpm = "/mnt/x86_64/*.rpm";
  const CommandResult installed = Shell("CORDON_ENROLL=/mnt/leeds.enroll rpm -i --nodeps " + rpm);
  ASSERT_EQ(installed.status, 0) << installed.output << installed.errors;
  EXPECT_THAT(installed.output, HasSubstr("enrolled at site leeds"));
  ASSERT_NO_FATAL_FAILURE(StartServices());
  ASSERT_TRUE(PeerReachesHost());
  Isolate();
  ASSERT_FALSE(PeerReachesHost());
  ASSERT_EQ(Shell("rpm -U --force --nodeps " + rpm).status, 0);
  EXPECT_FALSE(PeerReachesHost());
  StopServices();
  const CommandResult refused = Shell("rpm -e cordon-agent");
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.output + refused.errors, HasSubstr("this host is isolated (essential)"));
  EXPECT_EQ(Shell("test -x /opt/cordon/bin/cordon-agent").status, 0) << "all of it is still there";
  EXPECT_FALSE(PeerReachesHost());
  const CommandResult removed = Shell("CORDON_REMOVE_RELEASE=1 rpm -e cordon-agent");
  EXPECT_EQ(removed.status, 0) << removed.output << removed.errors;
  EXPECT_TRUE(PeerReachesHost());
  EXPECT_NE(Shell("test -e /opt/cordon").status, 0);
}

TEST_F(PackageTest, AFreeHostIsRemovedWithoutAskingAndAnUnenrolledOneToo) {
  ASSERT_EQ(Shell("dpkg -i /mnt/old.deb").status, 0);
  const CommandResult removed = Shell("dpkg -r cordon-agent");
  ASSERT_EQ(removed.status, 0) << removed.output << removed.errors;
  EXPECT_THAT(removed.output, HasSubstr("the host was not isolated"));

  ASSERT_EQ(Shell("dpkg -i /mnt/new.deb").status, 0);
  ASSERT_NO_FATAL_FAILURE(Enrol());
  ASSERT_NO_FATAL_FAILURE(StartServices());
  Isolate();
  StopServices();
  fleet_.KillController();
  ASSERT_NE(Shell("dpkg -r cordon-agent").status, 0);
  ASSERT_EQ(Shell("touch /etc/cordon/remove-release").status, 0);
  const CommandResult without_controller = Shell("dpkg -r cordon-agent");
  ASSERT_EQ(without_controller.status, 0) << without_controller.output << without_controller.errors;
  EXPECT_THAT(without_controller.output, HasSubstr("no controller was reached, it is in agent.db"));
  EXPECT_TRUE(PeerReachesHost());
}

}  // namespace
}  // namespace cordon::testing
