#pragma once

// The MSI by wine's msiexec, on a Windows of the test's own with a fleet around it.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "common/base/strings.h"
#include "tests/support/build_paths.h"
#include "tests/wine/fleet/windows_fleet.h"

namespace cordon::testing {

class WindowsInstaller : public ::testing::Test {
 protected:
  static constexpr std::chrono::minutes kPatience{3};
  static constexpr const char* kNextVersion = "99.0.0";

  void SetUp() override {
    if (const std::string missing = WinePrefix::Missing(); !missing.empty()) GTEST_SKIP() << missing;
    if (RunCommand({"sh", "-c", "command -v wixl && command -v msibuild && command -v msiinfo"}).status != 0)
      GTEST_SKIP() << "wixl, msibuild or msiinfo is not installed: scripts/bootstrap --windows";
    fleet_ = std::make_unique<WindowsFleet>();
    package_ = Make({});
  }

  // Where it lies, under the prefix, so that it goes with it.
  std::filesystem::path Make(std::vector<std::string> flags) const {
    const std::filesystem::path out = fleet_->Windows().Drive() / "packages";
    flags.insert(flags.begin(), {StrCat(kSourceDir, "/scripts/package-msi"), "--out", out.string()});
    std::string path = RunCommand(std::move(flags), {}, kPatience).output;
    while (!path.empty() && path.back() == '\n') path.pop_back();
    return path;
  }

  CommandResult Msiexec(const std::string& what, const std::filesystem::path& package,
                        const std::vector<std::string>& properties = {}) const {
    std::vector<std::string> args = {"msiexec.exe", what, WindowsPath(package), "/qn", "/l*v", "C:\\log.txt"};
    args.insert(args.end(), properties.begin(), properties.end());
    return fleet_->Windows().Run(std::move(args), kPatience);
  }
  std::string EnrollProperty() const { return StrCat("ENROLL=", WindowsPath(fleet_->MakeEnrollmentFile())); }
  void InstallAndEnroll() const {
    const CommandResult installed = Msiexec("/i", package_, {EnrollProperty()});
    ASSERT_EQ(installed.status, 0) << installed.output << installed.errors;
    ASSERT_TRUE(fleet_->WaitForAgent());
  }

  std::filesystem::path Program() const {
    return fleet_->Windows().Drive() / "Program Files/Cordon/cordon-agent.exe";
  }
  CommandResult Installed(std::vector<std::string> args) const {
    args.insert(args.begin(), Program().string());
    return fleet_->Windows().Run(std::move(args));
  }
  bool Runs() const {
    return Eventually([&] { return Installed({"status"}).status == 0; });
  }
  std::string Log() const {
    std::ifstream file(fleet_->Windows().Drive() / "log.txt");
    std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    std::erase(text, '\0');  // UTF-16
    return text;
  }

  std::unique_ptr<WindowsFleet> fleet_;
  std::filesystem::path package_;
};

}  // namespace cordon::testing
