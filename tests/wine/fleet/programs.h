#pragma once

// Where the programs under test are: the Windows agent in its own build, this system's beside this test
// unless CORDON_PROGRAMS names another folder.

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/support/build_paths.h"

namespace cordon::testing {

inline std::filesystem::path WindowsAgent() {
  const char* const given = std::getenv("CORDON_WINDOWS_AGENT");
  if (given != nullptr) return given;
  return std::filesystem::path(kSourceDir) / "build/windows/bin/cordon-agent.exe";
}

inline std::string NativeProgram(const std::string& name) {
  const char* const folder = std::getenv("CORDON_PROGRAMS");
  const std::filesystem::path programs =
      folder != nullptr ? std::filesystem::path(folder) : std::filesystem::path(kBinaryDir) / "bin";
  return (programs / name).string();
}

}  // namespace cordon::testing
