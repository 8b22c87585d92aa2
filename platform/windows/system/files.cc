#include "platform/api/files.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/base/uuid.h"
#include "platform/windows/system/agent_folder.h"
#include "platform/windows/system/handle.h"
#include "platform/windows/system/security.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

constexpr DWORD kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
constexpr DWORD kPieceBytes = 64 * 1024;

std::string On(std::string_view what, const std::filesystem::path& path) {
  return StrCat(what, " ", Shown(path));
}

absl::Status WriteAll(HANDLE file, std::string_view bytes, const std::string& what) {
  while (!bytes.empty()) {
    DWORD written = 0;
    const auto piece = static_cast<DWORD>(std::min<size_t>(bytes.size(), kPieceBytes));
    if (WriteFile(file, bytes.data(), piece, &written, nullptr) == 0) return LastError(what);
    bytes.remove_prefix(written);
  }
  return absl::OkStatus();
}

// The handle is closed on return: an open file cannot be moved over another.
absl::Status WriteNew(const std::filesystem::path& path, std::string_view bytes,
                      SECURITY_ATTRIBUTES* security) {
  const std::string what = On("cannot write", path);
  const Handle file(CreateFileW(LongPath(path).c_str(), GENERIC_WRITE, 0, security, CREATE_NEW,
                                FILE_ATTRIBUTE_NORMAL, nullptr));
  if (!file.Valid()) return LastError(what);
  CORDON_RETURN_IF_ERROR(WriteAll(file.Get(), bytes, what));
  if (FlushFileBuffers(file.Get()) == 0) return LastError(what);
  return absl::OkStatus();
}

// Opens every folder on the way and keeps it from being renamed, so that what was looked at is what will be
// used.
absl::Status HoldWay(const std::filesystem::path& folder, std::vector<Handle>* way) {
  std::filesystem::path at = folder.root_path();
  for (const std::filesystem::path& part : folder.relative_path()) {
    at /= part;
    const std::string what = On("cannot open the folder", at);
    // With the attributes alone nothing would be held: Windows looks at sharing only where data are opened.
    Handle handle(CreateFileW(LongPath(at).c_str(), FILE_LIST_DIRECTORY | FILE_READ_ATTRIBUTES,
                              FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, OPEN_EXISTING,
                              FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, nullptr));
    FILE_BASIC_INFO info{};
    if (!handle.Valid() ||
        GetFileInformationByHandleEx(handle.Get(), FileBasicInfo, &info, sizeof(info)) == 0)
      return LastError(what);
    if ((info.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0)
      return absl::FailedPreconditionError(StrCat(Shown(folder), ": a part of the way is a link"));
    if ((info.FileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0)
      return absl::NotFoundError(StrCat(Shown(at), " is no folder"));
    way->push_back(std::move(handle));
  }
  return absl::OkStatus();
}

// Needs DELETE. The file that was opened goes, whatever has its name by now.
bool Delete(HANDLE file) {
  FILE_DISPOSITION_INFO gone{.DeleteFile = TRUE};
  return SetFileInformationByHandle(file, FileDispositionInfo, &gone, sizeof(gone)) != 0;
}

// Needs WRITE_OWNER, and SeRestorePrivilege for an owner that is not the caller.
absl::Status GiveToOwnerOf(const std::filesystem::path& folder, HANDLE file,
                           const std::filesystem::path& path) {
  const std::string what = On("cannot set the owner of", path);
  LocalMemory<PSECURITY_DESCRIPTOR> descriptor;
  PSID owner = nullptr;
  const DWORD read =
      GetNamedSecurityInfoW(LongPath(folder).c_str(), SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner,
                            nullptr, nullptr, nullptr, descriptor.Out());
  if (read != ERROR_SUCCESS) return WindowsError(read, what);
  const DWORD set =
      SetSecurityInfo(file, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, owner, nullptr, nullptr, nullptr);
  return set == ERROR_SUCCESS ? absl::OkStatus() : WindowsError(set, what);
}

class HeldLock final : public FileLock {
 public:
  explicit HeldLock(Handle file) : file_(std::move(file)) {}

 private:
  Handle file_;
};

}  // namespace

absl::Status WriteFileDurably(const std::filesystem::path& path, std::string_view bytes, FileAccess access) {
  CORDON_ASSIGN_OR_RETURN(
      const auto security,
      SecurityDescriptor::Parse(access == FileAccess::kOwnerOnly ? kPrivate : kEveryoneReads));
  const std::filesystem::path folder =
      path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const std::filesystem::path beside =
      folder / StrCat(".", Shown(path.filename()), ".", NewUuid().substr(0, 8));
  absl::Status status = WriteNew(beside, bytes, security->Attributes());
  // Written through: when this returns, the new name is on the disk.
  const std::string what = On("cannot replace", path);
  if (status.ok() && MoveFileExW(LongPath(beside).c_str(), LongPath(path).c_str(),
                                 MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH) == 0)
    status = LastError(what);
  if (!status.ok()) DeleteFileW(LongPath(beside).c_str());
  return status;
}

absl::Status Overwrite(const std::filesystem::path& path, uint64_t offset, std::string_view bytes,
                       Flush flush) {
  const std::string what = On("cannot write", path);
  const Handle file(CreateFileW(LongPath(path).c_str(), GENERIC_WRITE, kShareAll, nullptr, OPEN_EXISTING,
                                FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT, nullptr));
  if (!file.Valid()) return LastError(what);
  LARGE_INTEGER size{};
  if (GetFileSizeEx(file.Get(), &size) == 0) return LastError(what);
  const auto length = static_cast<uint64_t>(size.QuadPart);
  if (offset > length || bytes.size() > length - offset) {
    return absl::OutOfRangeError(StrCat(Shown(path), " ends before what is to be written"));
  }
  const LARGE_INTEGER at{.QuadPart = static_cast<LONGLONG>(offset)};
  if (SetFilePointerEx(file.Get(), at, nullptr, FILE_BEGIN) == 0) return LastError(what);
  CORDON_RETURN_IF_ERROR(WriteAll(file.Get(), bytes, what));
  if (flush == Flush::kNow && FlushFileBuffers(file.Get()) == 0) return LastError(what);
  return absl::OkStatus();
}

size_t SweepUnfinishedFiles(const std::filesystem::path& folder) {
  constexpr std::chrono::minutes kAtWork(1);
  constexpr size_t kEnding = 9;  // ".xxxxxxxx"
  size_t swept = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::wstring name = at->path().filename().wstring();
    if (name.size() <= kEnding + 1 || name.front() != L'.' || name[name.size() - kEnding] != L'.') continue;
    std::error_code gone;
    if (!at->is_regular_file(gone) || at->is_symlink(gone)) continue;
    const auto written = std::filesystem::last_write_time(at->path(), gone);
    if (gone || std::filesystem::file_time_type::clock::now() - written < kAtWork) continue;
    if (std::filesystem::remove(at->path(), gone)) ++swept;
  }
  return swept;
}

absl::StatusOr<std::string> ReadFileBounded(const std::filesystem::path& path, size_t max_bytes) {
  const std::string what = On("cannot read", path);
  const Handle file(CreateFileW(LongPath(path).c_str(), GENERIC_READ, kShareAll, nullptr, OPEN_EXISTING,
                                FILE_ATTRIBUTE_NORMAL, nullptr));
  if (!file.Valid()) return LastError(what);
  std::string bytes;
  while (true) {
    const size_t have = bytes.size();
    bytes.resize(have + kPieceBytes);
    DWORD got = 0;
    if (ReadFile(file.Get(), bytes.data() + have, kPieceBytes, &got, nullptr) == 0) return LastError(what);
    bytes.resize(have + got);
    if (bytes.size() > max_bytes)
      return absl::OutOfRangeError(StrCat(Shown(path), " is longer than ", max_bytes, " bytes"));
    if (got == 0) return bytes;
  }
}

absl::Status MakeFileOfFolderOwner(const std::filesystem::path& folder, const std::string& name,
                                   std::string_view bytes) {
  std::vector<Handle> way;
  CORDON_RETURN_IF_ERROR(HoldWay(folder, &way));
  const std::filesystem::path path = folder / name;
  const std::string what = On("cannot make", path);
  // Rights are inherited: those whose folder it is may read. Nobody else opens it before it is theirs.
  const Handle file(CreateFileW(LongPath(path).c_str(), GENERIC_WRITE | WRITE_OWNER | DELETE, 0, nullptr,
                                CREATE_NEW, FILE_ATTRIBUTE_NORMAL | FILE_FLAG_BACKUP_SEMANTICS, nullptr));
  if (!file.Valid()) return LastError(what);
  absl::Status status = WriteAll(file.Get(), bytes, what);
  if (status.ok()) status = GiveToOwnerOf(folder, file.Get(), path);
  if (!status.ok() && !Delete(file.Get())) status = Annotate(status, "and it cannot be removed again");
  return status;
}

absl::Status RemoveFileOfFolderOwner(const std::filesystem::path& folder, const std::string& name) {
  std::vector<Handle> way;
  const absl::Status held = HoldWay(folder, &way);
  if (absl::IsNotFound(held)) return absl::OkStatus();
  CORDON_RETURN_IF_ERROR(held);
  const std::string what = On("cannot remove", folder / name);
  const Handle file(CreateFileW(LongPath(folder / name).c_str(), DELETE, kShareAll, nullptr, OPEN_EXISTING,
                                FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, nullptr));
  if (file.Valid() && Delete(file.Get())) return absl::OkStatus();
  const absl::Status removed = LastError(what);
  return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
}

absl::Status MakePrivateFolder(const std::filesystem::path& path) {
  std::error_code error;
  if (path.parent_path() == AgentFolder()) {
    CORDON_RETURN_IF_ERROR(MakeAgentFolder());
  } else if (path.has_parent_path()) {
    std::filesystem::create_directories(path.parent_path(), error);
  }
  if (error)
    return absl::UnavailableError(
        StrCat("cannot make the folder ", Shown(path.parent_path()), ": ", error.message()));
  return MakeTrustedFolder(path, kPrivate);
}

absl::Status CheckSettingsFile(const std::filesystem::path& path) {
  const std::string what = On("cannot open", path);
  const Handle file(CreateFileW(LongPath(path).c_str(), READ_CONTROL | FILE_READ_ATTRIBUTES, kShareAll,
                                nullptr, OPEN_EXISTING,
                                FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, nullptr));
  return file.Valid() ? CheckIsTrusted(file.Get(), path) : LastError(what);
}

absl::StatusOr<std::unique_ptr<FileLock>> LockFile(const std::filesystem::path& path) {
  CORDON_ASSIGN_OR_RETURN(const auto security, SecurityDescriptor::Parse(kPrivate));
  const std::string what = On("cannot lock", path);
  Handle file(CreateFileW(LongPath(path).c_str(), GENERIC_READ | GENERIC_WRITE, kShareAll,
                          security->Attributes(), OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr));
  if (!file.Valid()) return LastError(what);
  OVERLAPPED from_start{};
  if (LockFileEx(file.Get(), LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &from_start) ==
      0) {
    if (GetLastError() == ERROR_LOCK_VIOLATION)
      return absl::AlreadyExistsError(StrCat(Shown(path), " is locked by another process"));
    return LastError(what);
  }
  return std::make_unique<HeldLock>(std::move(file));
}

}  // namespace cordon::platform
