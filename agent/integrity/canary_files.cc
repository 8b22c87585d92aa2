#include "agent/integrity/canary_files.h"

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "platform/api/file_names.h"
#include "platform/api/file_tree.h"
#include "platform/api/files.h"

namespace cordon::agent {
namespace {

constexpr size_t kMaxListBytes = size_t{1} << 20;
constexpr std::array<std::string_view, 2> kNames = {".!cordon-canary.rtf", ".~cordon-canary.rtf"};

// A document that opens, says what it is, and is long enough to be worth encrypting.
std::string MakeText() {
  std::string text =
      "{\\rtf1\\ansi This file belongs to Cordon, which protects this computer. Please leave it as it is: "
      "when a program "
      "changes it, your IT team is told at once that files may be under attack.\\par\n";
  while (text.size() < size_t{4} * 1024) StrAppend(&text, "Please leave this file as it is.\\par\n");
  return StrAppend(&text, "}\n"), text;
}

const std::string& Text() {
  static const std::string text = MakeText();
  return text;
}

bool IsAsLaid(const std::filesystem::path& path) {
  const absl::StatusOr<platform::OpenFile> file = platform::OpenForReading(path);
  if (!file.ok()) return false;
  const absl::StatusOr<std::string> content = platform::ReadFileHead(*file, 2 * Text().size());
  return content.ok() && *content == Text();
}

void Append(const absl::Status& problem, std::string* problems) {
  StrAppend(problems, problems->empty() ? "" : "; ", Message(problem));
}

// One that cannot be removed stays, and harms nobody.
void RemoveFrom(const std::filesystem::path& folder, std::string* problems) {
  for (const std::string_view name : kNames) {
    if (!IsAsLaid(folder / name)) continue;
    const absl::Status removed = platform::RemoveFileOfFolderOwner(folder, std::string(name));
    if (!removed.ok()) Append(removed, problems);
  }
}

absl::Status AllOf(const std::string& problems) {
  return problems.empty() ? absl::OkStatus() : absl::UnavailableError(problems);
}

}  // namespace

CanaryFiles::CanaryFiles(std::filesystem::path list_file) : list_file_(std::move(list_file)) {
  const absl::StatusOr<std::string> list = platform::ReadFileBounded(list_file_, kMaxListBytes);
  if (!list.ok())
    return;  // the first time; or the canaries of before stay where they are, which harms nobody
  std::istringstream lines(*list);
  for (std::string line; std::getline(lines, line);) {
    const std::filesystem::path folder = platform::PathOfBytes(UnescapeFromUtf8(line));
    if (folder.is_absolute()) folders_.push_back(folder);
  }
}

CanaryFiles::Folders CanaryFiles::Listed() const {
  const std::lock_guard lock(mutex_);
  return folders_;
}

void CanaryFiles::List(Folders folders) {
  const std::lock_guard lock(mutex_);
  folders_ = std::move(folders);
}

absl::Status CanaryFiles::Save(const Folders& folders) const {
  std::string list;
  for (const auto& folder : folders) StrAppend(&list, EscapeToUtf8(platform::NameBytes(folder)), "\n");
  return platform::WriteFileDurably(list_file_, list, platform::FileAccess::kOwnerOnly);
}

// They are known before they are laid, and not any more before they are taken away.
absl::Status CanaryFiles::Lay(const std::vector<std::filesystem::path>& folders) {
  const platform::MountTable mounts = platform::MountTable::Now();
  std::string problems;
  if (const Folders before = Listed(); folders != before) {
    List(folders);
    for (const auto& folder : before) {
      const bool gone = std::ranges::find(folders, folder) == folders.end();
      if (gone && !mounts.MayNotAnswer(folder)) RemoveFrom(folder, &problems);
    }
    CORDON_RETURN_IF_ERROR(Save(folders));
  }
  for (const auto& folder : folders) {
    if (mounts.MayNotAnswer(folder)) {
      StrAppend(&problems, problems.empty() ? "" : "; ", "none is laid in ",
                EscapeToUtf8(platform::NameBytes(folder)), ", which is on a network file system");
      continue;
    }
    for (const std::string_view name : kNames) {
      const absl::Status laid = platform::MakeFileOfFolderOwner(folder, std::string(name), Text());
      if (laid.ok() || absl::IsAlreadyExists(laid) || absl::IsNotFound(laid)) continue;
      Append(laid, &problems);
    }
  }
  return AllOf(problems);
}

absl::Status CanaryFiles::Remove() {
  const platform::MountTable mounts = platform::MountTable::Now();
  std::string problems;
  for (const auto& folder : Listed()) {
    if (!mounts.MayNotAnswer(folder)) RemoveFrom(folder, &problems);
  }
  List({});
  return AllOf(problems);
}

bool CanaryFiles::IsCanary(const std::filesystem::path& path) const {
  if (std::ranges::find(kNames, platform::NameBytes(path.filename())) == kNames.end()) return false;
  const std::lock_guard lock(mutex_);
  return std::ranges::find(folders_, path.parent_path()) != folders_.end();
}

bool CanaryFiles::IsWhatIsLaid(uint64_t size, std::string_view sha256) {
  static const std::string laid = Sha256(Text());
  return size == Text().size() && (sha256.empty() || sha256 == laid);
}

absl::StatusOr<std::vector<std::filesystem::path>> FoldersOfDocuments(
    const std::vector<std::filesystem::path>& homes, const platform::MountTable& mounts) {
  constexpr std::array<std::string_view, 2> kOfPeople = {"Documents", "Desktop"};
  constexpr size_t kMaxFolders = 64;
  std::vector<std::filesystem::path> folders;
  for (const auto& home : homes) {
    if (mounts.MayNotAnswer(home)) continue;
    const absl::Status read =
        platform::ReadFolderHere(home, mounts, [&](const platform::FolderEntry& person) {
          for (const std::string_view name : kOfPeople) {
            const std::filesystem::path folder = home / platform::PathOfBytes(person.name) / name;
            if (mounts.MayNotAnswer(folder)) continue;
            const auto metadata = platform::ReadFileMetadata(folder);
            const bool is_folder = metadata.ok() && metadata->type == platform::FileType::kDirectory;
            if (is_folder && folders.size() < kMaxFolders) folders.push_back(folder);
          }
          return folders.size() < kMaxFolders;
        });
    if (!read.ok() && !absl::IsNotFound(read)) return read;
  }
  std::ranges::sort(folders);  // the same folders are the same list
  return folders;
}

}  // namespace cordon::agent
