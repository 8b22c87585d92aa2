#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "platform/api/file_source.h"

namespace cordon::testing {

// Where a file source is tried, and what it can tell there beyond names: the contract leaves that open.
struct Ground {
  std::string name;
  std::string source;  // as FileSourceInfo says
  std::function<std::unique_ptr<platform::FileSource>()> make;
  // Prepares the folder that the test works in; what it returns undoes that when it ends. Throws when it
  // cannot.
  std::function<std::shared_ptr<void>(const std::filesystem::path& folder)> prepare;
  bool tells_who = false;         // a pid; so the calling process's own changes are left out
  bool may_tell_who = false;      // of what it can, and nothing is left out
  bool tells_closing = false;     // kClosedWrite
  bool tells_attributes = false;  // as such, and not as a kModified
};

inline void PrintTo(const Ground& ground, std::ostream* out) {
  *out << ground.name;
}

std::vector<Ground> FileGrounds();

// Why sources do not work on this machine; empty when they do.
std::string WhyNoFileSource();

}  // namespace cordon::testing
