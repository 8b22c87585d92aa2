#include "tests/contract/file_source/ground.h"

namespace cordon::testing {

std::vector<Ground> FileGrounds() {
  return {{.name = "DirectoryChanges",
           .source = "directory-changes",
           .make = [] { return platform::MakeFileSource(); },
           .prepare = [](const auto&) { return nullptr; },
           .may_tell_who = true}};
}

std::string WhyNoFileSource() {
  return {};
}

}  // namespace cordon::testing
