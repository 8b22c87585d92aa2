#include "agent/link/file_set.h"

#include <algorithm>
#include <sstream>
#include <string_view>

#include "common/base/status.h"
#include "platform/api/files.h"

namespace cordon::agent {
namespace {

constexpr std::string_view kCommitList = ".replacing";
constexpr std::string_view kSuffix = ".new";
constexpr size_t kMaxListBytes = 4096;

std::filesystem::path Beside(const std::filesystem::path& folder, const std::string& name) {
  return folder / StrCat(name, kSuffix);
}

bool IsPlainName(const std::string& name) {
  return !name.empty() && name.find('/') == std::string::npos && name.front() != '.';
}

absl::Status Rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code error;
  std::filesystem::rename(from, to, error);
  if (!error || error == std::errc::no_such_file_or_directory)
    return absl::OkStatus();  // done before a crash
  return absl::UnavailableError(StrCat("cannot replace ", to.string(), ": ", error.message()));
}

absl::Status Remove(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::remove(path, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(StrCat("cannot remove ", path.string(), ": ", error.message()));
}

void RemoveUncommitted(const std::filesystem::path& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == kSuffix) left.push_back(entry.path());
  }
  for (const std::filesystem::path& path : left) std::filesystem::remove(path, error);
}

}  // namespace

absl::Status ReplaceFilesTogether(const std::filesystem::path& folder,
                                  const std::vector<NamedContent>& files) {
  CORDON_RETURN_IF_ERROR(FinishReplacingFiles(folder));
  std::string list;
  absl::Status status;
  for (const NamedContent& file : files) {
    if (!IsPlainName(file.name))
      return absl::InvalidArgumentError(StrCat("'", file.name, "' is not a plain file name"));
    status =
        platform::WriteFileDurably(Beside(folder, file.name), file.bytes, platform::FileAccess::kOwnerOnly);
    if (!status.ok()) break;
    StrAppend(&list, file.name, "\n");
  }
  if (status.ok()) {  // the commit: from here on the new content is what counts
    status = platform::WriteFileDurably(folder / kCommitList, list, platform::FileAccess::kOwnerOnly);
  }
  if (!status.ok()) {
    RemoveUncommitted(folder);
    return status;
  }
  return FinishReplacingFiles(folder);
}

absl::Status FinishReplacingFiles(const std::filesystem::path& folder) {
  const absl::StatusOr<std::string> list = platform::ReadFileBounded(folder / kCommitList, kMaxListBytes);
  if (absl::IsNotFound(list.status())) {
    RemoveUncommitted(folder);
    return absl::OkStatus();
  }
  CORDON_RETURN_IF_ERROR(list.status());
  std::istringstream names(*list);
  for (std::string name; std::getline(names, name);) {
    if (!IsPlainName(name))
      return absl::DataLossError(StrCat((folder / kCommitList).string(), " is damaged"));
    CORDON_RETURN_IF_ERROR(Rename(Beside(folder, name), folder / name));
  }
  return Remove(folder / kCommitList);
}

}  // namespace cordon::agent
