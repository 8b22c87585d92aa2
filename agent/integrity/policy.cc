#include "agent/integrity/policy.h"

#include <algorithm>

#include "agent/event/file_state.h"
#include "common/base/paths.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/file_names.h"
#include "platform/api/mount_table.h"

namespace cordon::agent {
namespace {

constexpr int kMaxPaths = 256;
constexpr size_t kMaxPathBytes = 4096;

// Caches, and what editors and browsers write every few seconds.
constexpr std::string_view kNoisyPatterns[] = {
    "/home/*/.cache/*",           "/home/*/.mozilla/*",           "/home/*/.config/google-chrome/*",
    "/home/*/.config/chromium/*", "/home/*/.local/share/Trash/*", "/home/*/.local/share/gvfs-metadata/*",
    "/etc/ld.so.cache~",
};

bool IsPattern(std::string_view text) {
  return text.find_first_of("*?") != std::string_view::npos;
}

// The path that `text` means, which may have bytes that are no UTF-8, escaped.
absl::StatusOr<std::filesystem::path> ReadPath(std::string_view field, const std::string& text) {
  const auto refuse = [&](std::string_view why) {
    return absl::InvalidArgumentError(StrCat(field, ": '", Printable(text), "' ", why));
  };
  if (text.empty() || text.size() > kMaxPathBytes) return refuse("has no length from 1 to 4096 bytes");
  const std::filesystem::path path = platform::PathOfBytes(UnescapeFromUtf8(text));
  if (!path.is_absolute()) return refuse("is no absolute path");
  if (platform::NameBytes(path).find('\0') != std::string::npos) return refuse("has a zero byte");
  for (const auto& part : path) {
    if (part == "..") return refuse("has '..' in it");
  }
  const std::filesystem::path normal = path.lexically_normal();
  return normal.has_filename() || normal == normal.root_path() ? normal : normal.parent_path();
}

absl::StatusOr<std::vector<std::filesystem::path>> ReadFolders(
    std::string_view field, const google::protobuf::RepeatedPtrField<std::string>& texts) {
  std::vector<std::filesystem::path> folders;
  for (const std::string& text : texts) {
    if (IsPattern(text)) {
      return absl::InvalidArgumentError(
          StrCat(field, ": '", Printable(text), "' is a pattern; name a folder"));
    }
    CORDON_ASSIGN_OR_RETURN(folders.emplace_back(), ReadPath(field, text));
  }
  return folders;
}

// Outside of what is watched nobody would see that a canary is touched.
absl::StatusOr<std::vector<std::filesystem::path>> ReadCanaryFolders(
    const v1::Tripwires& tripwires, const std::vector<std::filesystem::path>& roots) {
  constexpr std::string_view kField = "tripwires.canary_folders";
  CORDON_ASSIGN_OR_RETURN(std::vector<std::filesystem::path> folders,
                          ReadFolders(kField, tripwires.canary_folders()));
  for (const std::filesystem::path& folder : folders) {
    const bool watched = std::ranges::any_of(roots, [&](const std::filesystem::path& root) {
      return IsAtOrBelow(platform::NameBytes(folder), platform::NameBytes(root));
    });
    if (!watched) {
      return absl::InvalidArgumentError(
          StrCat(kField, ": '", Printable(platform::NameBytes(folder)), "' is not below a watched path"));
    }
  }
  return folders;
}

std::vector<std::filesystem::path> WatchedHomes(const std::vector<std::filesystem::path>& roots) {
  std::vector<std::filesystem::path> homes = platform::FoldersOfPeople();
  std::erase_if(homes, [&](const auto& home) { return std::ranges::find(roots, home) == roots.end(); });
  return homes;
}

}  // namespace

v1::Policy DefaultPolicy() {
  const platform::FileWatch watch = platform::DefaultFileWatch();
  v1::Policy policy;
  for (const auto& root : watch.roots) policy.add_watched_paths(EventPath(root));
  for (const auto& prefix : watch.excluded) policy.add_excluded_paths(EventPath(prefix));
  for (const std::string_view pattern : kNoisyPatterns) policy.add_excluded_paths(std::string(pattern));
  return policy;
}

absl::StatusOr<WatchPolicy> ReadPolicy(const v1::Policy& policy) {
  if (policy.watched_paths().empty()) return absl::InvalidArgumentError("watched_paths: nothing to watch");
  if (std::max({policy.watched_paths_size(), policy.excluded_paths_size(), policy.sensitive_paths_size()}) >
      kMaxPaths) {
    return absl::InvalidArgumentError(
        StrCat("watched_paths, excluded_paths and sensitive_paths: at most ", kMaxPaths, " each"));
  }
  WatchPolicy read;
  CORDON_ASSIGN_OR_RETURN(read.roots, ReadFolders("watched_paths", policy.watched_paths()));
  CORDON_ASSIGN_OR_RETURN(read.sensitive, ReadFolders("sensitive_paths", policy.sensitive_paths()));
  read.tripwires = policy.tripwires();
  if (!policy.tripwires().off()) {
    CORDON_ASSIGN_OR_RETURN(read.canary_folders, ReadCanaryFolders(policy.tripwires(), read.roots));
    if (read.canary_folders.empty()) read.canary_homes = WatchedHomes(read.roots);
  }
  for (const std::string& text : policy.excluded_paths()) {
    if (IsPattern(text) && text.size() <= kMaxPathBytes) {
      read.excluded_patterns.push_back(platform::NameBytes(platform::PathOfBytes(UnescapeFromUtf8(text))));
    } else {
      CORDON_ASSIGN_OR_RETURN(read.excluded.emplace_back(), ReadPath("excluded_paths", text));
    }
  }
  return read;
}

WatchPolicy WithTruePaths(WatchPolicy policy) {
  const platform::MountTable mounts = platform::MountTable::Now();
  const auto true_path = [&](const std::filesystem::path& path) {
    return mounts.MayNotAnswer(path) ? path : TruePath(path);
  };
  std::vector<std::string> moved;  // patterns that begin with a root that lies elsewhere
  for (std::filesystem::path& root : policy.roots) {
    const std::string named = platform::NameBytes(root);
    root = true_path(root);
    if (root == named) continue;
    for (const std::string& pattern : policy.excluded_patterns) {
      if (!IsAtOrBelow(pattern, named)) continue;
      moved.push_back(StrCat(platform::NameBytes(root), std::string_view(pattern).substr(named.size())));
    }
  }
  std::ranges::move(moved, std::back_inserter(policy.excluded_patterns));
  for (std::filesystem::path& prefix : policy.excluded) prefix = true_path(prefix);
  for (std::filesystem::path& folder : policy.sensitive) folder = true_path(folder);
  return policy;
}

}  // namespace cordon::agent
