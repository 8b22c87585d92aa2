#include "agent/scan/scan_spec.h"

#include <algorithm>
#include <utility>

#include "agent/scan/walk.h"
#include "common/base/paths.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/file_names.h"

namespace cordon::agent {
namespace {

constexpr size_t kMaxPathBytes = 4096;

absl::Status CheckPath(const std::string& text) {
  const auto refuse = [&](std::string_view why) {
    return absl::InvalidArgumentError(StrCat("paths: '", Printable(text), "' ", why));
  };
  if (text.empty() || text.size() > kMaxPathBytes) return refuse("has no length from 1 to 4096 bytes");
  const std::filesystem::path path = platform::PathOfBytes(UnescapeFromUtf8(text));
  if (!path.is_absolute()) return refuse("is no absolute path");
  if (platform::NameBytes(path).find('\0') != std::string::npos) return refuse("has a zero byte");
  for (const auto& part : path) {
    if (part == "..") return refuse("has '..' in it");
  }
  return absl::OkStatus();
}

// Sorted, and without those that lie below another.
std::vector<std::string> Outermost(std::vector<std::string> paths) {
  std::ranges::sort(paths, WalksBefore);
  std::vector<std::string> kept;
  for (std::string& path : paths) {
    if (kept.empty() || !IsAtOrBelow(path, kept.back())) kept.push_back(std::move(path));
  }
  return kept;
}

}  // namespace

absl::Status CheckPaths(const v1::ScanSpec& spec) {
  for (const std::string& path : spec.paths()) CORDON_RETURN_IF_ERROR(CheckPath(path));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ScanRoot>> RootsOf(const v1::ScanSpec& spec,
                                              const std::vector<std::filesystem::path>& default_paths,
                                              Baseline& baseline) {
  std::vector<std::string> paths;
  for (const std::string& path : spec.paths())
    paths.push_back(platform::NameBytes(TruePath(platform::PathOfBytes(UnescapeFromUtf8(path)))));
  if (paths.empty()) {
    for (const std::filesystem::path& path : default_paths)
      paths.push_back(platform::NameBytes(TruePath(path)));
  }
  if (paths.empty()) return absl::InvalidArgumentError("paths: nothing to scan: the host watches nothing");
  std::vector<ScanRoot> roots;
  for (std::string& path : Outermost(std::move(paths))) {
    ScanRoot& root = roots.emplace_back(ScanRoot{.path = std::move(path)});
    if (!spec.has_integrity()) continue;
    CORDON_ASSIGN_OR_RETURN(const bool covered, baseline.Covers(root.path));
    const v1::IntegrityCheck::Mode mode = spec.integrity().mode();
    if (mode == v1::IntegrityCheck::MODE_CHECK && !covered) {
      return absl::FailedPreconditionError(
          StrCat("there is no baseline of ", Printable(root.path), ": make one first (mode CREATE)"));
    }
    const bool create = mode == v1::IntegrityCheck::MODE_CREATE || !covered;
    root.baseline = create ? ScanRoot::Baseline::kCreate : ScanRoot::Baseline::kCheck;
  }
  return roots;
}

}  // namespace cordon::agent
