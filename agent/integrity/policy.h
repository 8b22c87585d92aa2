#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/pattern.h"
#include "cordon/v1/order.pb.h"
#include "platform/api/file_source.h"

namespace cordon::agent {

// What is watched until a policy order says otherwise; version 0.
v1::Policy DefaultPolicy();

// A policy that can be carried out: excluded paths split into what the source leaves out by prefix and
// patterns that are matched per event.
struct WatchPolicy {
  std::vector<std::filesystem::path> roots;
  std::vector<std::filesystem::path> excluded;
  std::vector<std::string> excluded_patterns;
  std::vector<std::filesystem::path> sensitive;  // reads are told as well
  v1::Tripwires tripwires;
  // Where canaries lie, by the tripwires: folders that they name, or else those of documents of everyone
  // whose own folder is in one of `canary_homes`, which may come later.
  std::vector<std::filesystem::path> canary_folders;
  std::vector<std::filesystem::path> canary_homes;
};

// INVALID_ARGUMENT, naming the field and the path, for anything that cannot be watched: nothing to watch, too
// many, relative or overlong paths, a pattern that is none, a canary folder that is not watched.
absl::StatusOr<WatchPolicy> ReadPolicy(const v1::Policy& policy);

// With the links on the way to its folders resolved, as they are now: a source tells true paths, and a walk
// enters no link. On a network file system, where nothing is watched and nobody may answer, they stay as they
// are named. The folders of canaries stay as they are named: users can make links there.
WatchPolicy WithTruePaths(WatchPolicy policy);

}  // namespace cordon::agent
