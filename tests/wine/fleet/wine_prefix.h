#pragma once

// A Windows of a test's own: a wine prefix that is gone with the object, and everything that ran in it.

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/subprocess.h"
#include "tests/support/temp_folder.h"

namespace cordon::testing {

class WinePrefix {
 public:
  // Why none can be made here; empty when it can.
  static std::string Missing();

  // Throws std::runtime_error.
  WinePrefix();
  ~WinePrefix();
  WinePrefix(const WinePrefix&) = delete;
  WinePrefix& operator=(const WinePrefix&) = delete;

  // What C:\ is on this system.
  std::filesystem::path Drive() const { return prefix_ / "drive_c"; }

  // A program of Windows, by its path on this system or by name: as a process, whose pid is the program's
  // own, or to its end.
  std::unique_ptr<Subprocess> Start(std::vector<std::string> args) const;
  CommandResult Run(std::vector<std::string> args,
                    std::chrono::milliseconds timeout = std::chrono::seconds(60)) const;

 private:
  std::vector<std::string> Command(std::vector<std::string> args) const;
  SubprocessOptions Options() const;

  TempFolder folder_;
  const std::filesystem::path prefix_ = folder_ / "wine";
  std::unique_ptr<Subprocess> keeper_;
};

// How programs under wine name a file of this system.
std::string WindowsPath(const std::filesystem::path& path);

}  // namespace cordon::testing
