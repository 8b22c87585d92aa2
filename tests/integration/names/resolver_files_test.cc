// Which of a Linux system's files says whom the host asks for names: on files of the test's own, in a mount
// namespace where they stand in the places of the real ones.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "common/base/status.h"
#include "platform/api/resolvers.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_folder.h"

namespace cordon::testing {
namespace {

namespace fs = std::filesystem;

const std::string kResolved = "run/systemd/resolve/resolv.conf";
const std::string kNetworkManager = "run/NetworkManager/no-stub-resolv.conf";
const std::string kStub = "nameserver 127.0.0.53\noptions edns0 trust-ad\n";

// Run by ResolverFiles, in a mount namespace.
TEST(ResolverFilesReader, DISABLED_PrintsWhatItReads) {
  const absl::StatusOr<std::vector<Endpoint>> resolvers = platform::ReadResolvers();
  std::cout << "read:";
  if (!resolvers.ok()) std::cout << " " << absl::StatusCodeToString(resolvers.status().code());
  if (resolvers.ok()) {
    for (const Endpoint& resolver : *resolvers) std::cout << " " << resolver.address.to_string();
  }
  std::cout << ";" << std::endl;
}

class ResolverFiles : public ::testing::Test {
 protected:
  ResolverFiles() {
    for (const char* folder : {"etc", "run/systemd/resolve", "run/NetworkManager"})
      fs::create_directories(folder_ / folder);
  }
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "a mount namespace needs root";
  }

  void Write(const std::string& path, const std::string& text) { std::ofstream(folder_ / path) << text; }

  // What is read, by address, or the error's code.
  std::string Read() const {
    const CommandResult result = RunCommand(
        {"unshare", "--mount", "sh", "-ec",
         "mount --bind \"$0/etc\" /etc; mount --bind \"$0/run\" /run; exec \"$@\"", folder_.Path().string(),
         fs::read_symlink("/proc/self/exe").string(), "--gtest_also_run_disabled_tests",
         "--gtest_filter=ResolverFilesReader.DISABLED_PrintsWhatItReads"});
    const size_t at = result.output.find("read:");
    if (at == std::string::npos) return result.output + result.errors;
    return result.output.substr(at, result.output.find(';', at) - at);
  }

  TempFolder folder_;
};

TEST_F(ResolverFiles, ResolvConfCountsBeforeTheOthers) {
  Write("etc/resolv.conf", "nameserver 10.20.0.53\nnameserver 2001:db8::53\n");
  Write(kResolved, "nameserver 10.20.0.54\n");
  Write(kNetworkManager, "nameserver 10.20.0.55\n");
  EXPECT_EQ(Read(), "read: 10.20.0.53 2001:db8::53");
}

TEST_F(ResolverFiles, ThroughItsStubSystemdResolvedsFileCounts) {
  Write("run/systemd/resolve/stub-resolv.conf", kStub);
  fs::create_symlink("../run/systemd/resolve/stub-resolv.conf", folder_ / "etc/resolv.conf");
  Write(kResolved, "nameserver 10.20.0.54\n");
  Write(kNetworkManager, "nameserver 10.20.0.55\n");
  EXPECT_EQ(Read(), "read: 10.20.0.54");
}

TEST_F(ResolverFiles, ThroughALocalResolverNetworkManagersFileCounts) {
  Write("etc/resolv.conf", "nameserver 127.0.0.1\n");  // dnsmasq
  Write(kNetworkManager, "nameserver 10.20.0.55\n");
  EXPECT_EQ(Read(), "read: 10.20.0.55");
  Write(kResolved, kStub);  // that names nobody beyond this host either
  EXPECT_EQ(Read(), "read: 10.20.0.55");
}

TEST_F(ResolverFiles, NobodyIsNamedOrNothingIsSaid) {
  EXPECT_EQ(Read(), "read: NOT_FOUND");
  Write("etc/resolv.conf", kStub);
  EXPECT_EQ(Read(), "read:");
  Write(kResolved, "nameserver 10.20.0.54\n");
  EXPECT_EQ(Read(), "read: 10.20.0.54") << "the positive control";
}

}  // namespace
}  // namespace cordon::testing
