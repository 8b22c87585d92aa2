#pragma once

// This build's Debian package on a copy of this system, which is a host of a fleet.

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/strings.h"
#include "tests/integration/packaging/copied_system.h"
#include "tests/support/build_paths.h"
#include "tests/support/fleet.h"

namespace cordon::testing {

class PackageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* tool : {"cpack", "dpkg-deb", "dpkg-shlibdeps", "unshare"}) {
      if (RunCommand({"sh", "-c", StrCat("command -v ", tool)}).status != 0)
        GTEST_SKIP() << tool << " is not installed";
    }
    std::filesystem::create_directories(Shared() / "out");
    ASSERT_NO_FATAL_FAILURE(MakePackages());
    system_ = std::make_unique<CopiedSystem>(fleet_.Folder("system"), Shared(), fleet_.Host().Name());
  }

  std::filesystem::path Shared() const { return fleet_.Folder("shared"); }  // /mnt in the system under test

  // This build's, and the same as the next version.
  void MakePackages() {
    const CommandResult packed = RunCommand({"cpack", "-G", "DEB", "-B", (Shared() / "out").string(),
                                             "--config", std::string(kBinaryDir) + "/CPackConfig.cmake"},
                                            {.working_dir = kBinaryDir}, CopiedSystem::kPatience);
    ASSERT_EQ(packed.status, 0) << packed.output << packed.errors;
    MustRun({"sh", "-c",
             "set -e; cd \"$1\"; mv out/*.deb .; rm -r out; ln cordon-agent_*.deb old.deb; dpkg-deb -R "
             "old.deb tree; "
             "sed -i 's/^Version: .*/Version: 99.0/' tree/DEBIAN/control; "
             "echo '# of the next version' >> tree/usr/share/doc/cordon/levels.md; "
             "dpkg-deb -Zgzip -z1 --root-owner-group -b tree new.deb; rm -r tree",
             "sh", Shared().string()});
  }

  CommandResult Run(std::vector<std::string> args) const { return system_->Run(std::move(args)); }
  CommandResult Shell(const std::string& script) const { return system_->Shell(script); }

  bool Connected() const {
    return Eventually(
        [&] { return Shell("cordon-agent status").output.contains("\ncontroller    connected"); },
        std::chrono::seconds(60));
  }

  // As the units do.
  void StartServices() {
    keeper_ = system_->Start({"/usr/libexec/cordon/cordon-keeper"});
    agent_ = system_->Start({"/usr/bin/cordon-agent", "run"});
    ASSERT_TRUE(Connected()) << agent_->Errors() << keeper_->Errors();
  }
  void StopServices() {
    for (Subprocess* service : {agent_.get(), keeper_.get()}) {
      service->Signal(SIGTERM);
      service->Wait();
    }
  }

  bool PeerReachesHost() const {
    return RunCommand({"ping", "-c1", "-W1", "10.77.0.10"}, {.net_namespace = fleet_.Peer().Name()}).status ==
           0;
  }
  // Ten packets a second from now on; what gets an answer is on its output.
  std::unique_ptr<Subprocess> WatchTheBlock() const {
    return std::make_unique<Subprocess>(std::vector<std::string>{"ping", "-i", "0.1", "10.77.0.10"},
                                        SubprocessOptions{.net_namespace = fleet_.Peer().Name()});
  }

  void RunPackager(std::vector<std::string> command) const {
    command[0] = StrCat(kSourceDir, "/scripts/", command[0]);
    command.insert(command.begin() + 1, std::filesystem::path(kBinaryDir).filename().string());
    const CommandResult packed =
        RunCommand(command, {.env = {{"CORDON_PACKAGE_BUILT", "1"}}}, CopiedSystem::kPatience);
    ASSERT_EQ(packed.status, 0) << packed.output << packed.errors;
  }

  void MakeEnrollment() {
    fleet_.Ctl({"enrollment", "create", "--site", "leeds", "--uses", "1", "--for", "1h", "--out",
                (Shared() / "leeds.enroll").string()});
  }
  void Enrol() {
    MakeEnrollment();
    const CommandResult enrolled = Shell("cordon-agent enroll /mnt/leeds.enroll");
    ASSERT_EQ(enrolled.status, 0) << enrolled.errors;
  }
  void Isolate() {
    const std::string name(fleet_.CtlJson({"hosts"}).at(0).at("host").as_string());
    fleet_.Ctl({"isolate", name, "--level", "essential", "--fallback", "hold", "--reason", "a drill", "--yes",
                "--wait"});
  }

  Fleet fleet_;
  std::unique_ptr<CopiedSystem> system_;
  std::unique_ptr<Subprocess> keeper_;
  std::unique_ptr<Subprocess> agent_;
};

}  // namespace cordon::testing
