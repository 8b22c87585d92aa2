#include "platform/api/file_tree.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "platform/api/file_names.h"
#include "platform/windows/system/boot.h"
#include "platform/windows/system/handle.h"
#include "platform/windows/system/text.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform {
namespace {

constexpr DWORD kPieceBytes = 256 * 1024;
constexpr uint64_t kUnsizedBytes = 1024 * 1024;
constexpr DWORD kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
constexpr size_t kReparseBytes = 16 * 1024;
// FILE_ATTRIBUTE_RECALL_ON_OPEN and _ON_DATA_ACCESS, which mingw's header lacks; the system alone sets them.
constexpr DWORD kContentElsewhere = 0x40000 | 0x400000;

std::string On(std::string_view what, const std::filesystem::path& path) {
  return StrCat(what, " ", Printable(Shown(path)));
}

// The thing itself, were it a link; folders too.
Handle OpenAsItIs(const std::filesystem::path& path, DWORD access) {
  return Handle(CreateFileW(LongPath(path).c_str(), access, kShareAll, nullptr, OPEN_EXISTING,
                            FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, nullptr));
}

uint64_t Join(DWORD high, DWORD low) {
  return (uint64_t{high} << 32) | low;
}

// Links and mount points lead elsewhere; other reparse points (files that a cloud keeps, deduplicated ones)
// are files.
bool IsLink(DWORD tag) {
  return tag == IO_REPARSE_TAG_SYMLINK || tag == IO_REPARSE_TAG_MOUNT_POINT;
}

FileType TypeOf(DWORD attributes, DWORD tag) {
  if ((attributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 && IsLink(tag)) return FileType::kSymlink;
  if ((attributes & FILE_ATTRIBUTE_DIRECTORY) != 0) return FileType::kDirectory;
  if ((attributes & FILE_ATTRIBUTE_DEVICE) != 0) return FileType::kOther;
  return FileType::kFile;
}

// What REPARSE_DATA_BUFFER, which no user header has, says of a link: its offsets are those of the path
// names.
std::string LinkTarget(HANDLE file) {
  std::vector<char> buffer(kReparseBytes);
  DWORD got = 0;
  if (DeviceIoControl(file, FSCTL_GET_REPARSE_POINT, nullptr, 0, buffer.data(), kReparseBytes, &got,
                      nullptr) == 0)
    return {};
  const auto u16 = [&](size_t at) {
    return at + 2 <= got ? static_cast<size_t>(static_cast<uint8_t>(buffer[at]) |
                                               (static_cast<uint8_t>(buffer[at + 1]) << 8))
                         : 0;
  };
  const uint32_t tag = static_cast<uint32_t>(u16(0) | (u16(2) << 16));
  const size_t names = tag == IO_REPARSE_TAG_SYMLINK ? 20 : 16;
  const size_t begin = names + u16(8);
  const size_t bytes = u16(10);
  if (begin + bytes > got) return {};
  std::wstring target(bytes / sizeof(wchar_t), L'\0');
  std::copy_n(buffer.begin() + static_cast<std::ptrdiff_t>(begin), target.size() * sizeof(wchar_t),
              reinterpret_cast<char*>(target.data()));
  return Narrow(target);
}

// Other files are taken to have no holes.
uint64_t StoredBytes(HANDLE file, DWORD attributes, uint64_t size) {
  if ((attributes & FILE_ATTRIBUTE_SPARSE_FILE) == 0) return size;
  FILE_STANDARD_INFO standard{};
  if (GetFileInformationByHandleEx(file, FileStandardInfo, &standard, sizeof(standard)) == 0) return size;
  return static_cast<uint64_t>(standard.AllocationSize.QuadPart);
}

absl::StatusOr<FileMetadata> MetadataOf(HANDLE file, const std::filesystem::path& path) {
  const std::string what = On("cannot stat", path);
  BY_HANDLE_FILE_INFORMATION info{};
  if (GetFileInformationByHandle(file, &info) == 0) return LastError(what);
  FILE_ATTRIBUTE_TAG_INFO tag{};
  if ((info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0)
    GetFileInformationByHandleEx(file, FileAttributeTagInfo, &tag, sizeof(tag));
  FILE_BASIC_INFO basic{};
  GetFileInformationByHandleEx(file, FileBasicInfo, &basic, sizeof(basic));
  const uint64_t size = Join(info.nFileSizeHigh, info.nFileSizeLow);
  FileMetadata metadata{
      .type = TypeOf(info.dwFileAttributes, tag.ReparseTag),
      .size = size,
      .stored_bytes = StoredBytes(file, info.dwFileAttributes, size),
      .mode = info.dwFileAttributes,
      .uid = 0,
      .gid = 0,
      .mtime_unix_nanos =
          UnixNanosOfFileTime(Join(info.ftLastWriteTime.dwHighDateTime, info.ftLastWriteTime.dwLowDateTime)),
      .ctime_unix_nanos = basic.ChangeTime.QuadPart == 0
                              ? 0
                              : UnixNanosOfFileTime(static_cast<uint64_t>(basic.ChangeTime.QuadPart)),
      .inode = Join(info.nFileIndexHigh, info.nFileIndexLow),
      .device = info.dwVolumeSerialNumber,
      .links = info.nNumberOfLinks,
      .link_target = {}};
  if (metadata.type == FileType::kSymlink) metadata.link_target = LinkTarget(file);
  return metadata;
}

// Up to `room` bytes from `offset`; fewer at the end of the file.
absl::StatusOr<DWORD> ReadAt(const OpenFile& file, uint64_t offset, char* to, DWORD room) {
  const std::string what = On("cannot read", file.Path());
  OVERLAPPED at{};
  at.Offset = static_cast<DWORD>(offset);
  at.OffsetHigh = static_cast<DWORD>(offset >> 32);
  DWORD got = 0;
  if (ReadFile(reinterpret_cast<HANDLE>(file.Get()), to, room, &got, &at) == 0 &&
      GetLastError() != ERROR_HANDLE_EOF)
    return LastError(what);
  return got;
}

}  // namespace

absl::StatusOr<FileMetadata> ReadFileMetadata(const std::filesystem::path& path) {
  const Handle file = OpenAsItIs(path, FILE_READ_ATTRIBUTES);
  if (!file.Valid()) return LastError(On("cannot stat", path));
  return MetadataOf(file.Get(), path);
}

OpenFile::~OpenFile() {
  if (handle_ != kNone) CloseHandle(reinterpret_cast<HANDLE>(handle_));
}

absl::StatusOr<OpenFile> OpenForReading(std::filesystem::path path) {
  Handle file = OpenAsItIs(path, GENERIC_READ);
  if (!file.Valid()) return LastError(On("cannot open", path));
  if (GetFileType(file.Get()) != FILE_TYPE_DISK)
    return absl::FailedPreconditionError(StrCat(Printable(Shown(path)), " is no regular file"));
  CORDON_ASSIGN_OR_RETURN(FileMetadata metadata, MetadataOf(file.Get(), path));
  if (metadata.type == FileType::kSymlink)
    return absl::FailedPreconditionError(StrCat(Printable(Shown(path)), " is a symbolic link"));
  if (metadata.type != FileType::kFile)
    return absl::FailedPreconditionError(StrCat(Printable(Shown(path)), " is no regular file"));
  // A scan that fetched all that a cloud keeps for this host would fill its disk and its line.
  if ((metadata.mode & kContentElsewhere) != 0)
    return absl::UnavailableError(
        StrCat(Printable(Shown(path)), ": a cloud keeps its content, which is not fetched for reading"));
  return OpenFile(reinterpret_cast<OpenFile::Handle>(file.Release()), std::move(path), std::move(metadata));
}

absl::StatusOr<Digests> HashOpenFile(const OpenFile& file, const HashOptions& options,
                                     const std::function<bool()>& keep_going,
                                     const std::function<void(uint64_t)>& count) {
  const auto too_long = [&] {
    return absl::OutOfRangeError(StrCat("longer than ", FormatBytes(options.max_bytes)));
  };
  if (file.Metadata().size > options.max_bytes) return too_long();
  Sha256Stream sha256;
  std::optional<Md5Stream> md5;
  if (options.md5) md5.emplace();
  thread_local const auto piece = std::make_unique_for_overwrite<char[]>(kPieceBytes);
  const uint64_t end = file.Metadata().size > 0 ? file.Metadata().size : kUnsizedBytes;
  uint64_t total = 0;
  while (total < end) {
    if (!keep_going()) return absl::CancelledError(On("stopped reading", file.Path()));
    const auto room = static_cast<DWORD>(std::min<uint64_t>(kPieceBytes, end - total));
    CORDON_ASSIGN_OR_RETURN(const DWORD got, ReadAt(file, total, piece.get(), room));
    if (got == 0) break;
    total += got;
    if (total > options.max_bytes) return too_long();
    const std::string_view bytes(piece.get(), got);
    sha256.Update(bytes);
    if (md5) md5->Update(bytes);
    if (count) count(bytes.size());
  }
  return Digests{.sha256 = sha256.Finish(), .md5 = md5 ? md5->Finish() : std::string()};
}

absl::StatusOr<HashedFile> HashFile(const std::filesystem::path& path, uint64_t max_bytes,
                                    const std::function<bool()>& keep_going,
                                    const std::function<void(uint64_t)>& count) {
  CORDON_ASSIGN_OR_RETURN(const OpenFile file, OpenForReading(path));
  CORDON_ASSIGN_OR_RETURN(Digests digests, HashOpenFile(file, {.max_bytes = max_bytes}, keep_going, count));
  return HashedFile{.metadata = file.Metadata(), .sha256 = std::move(digests.sha256)};
}

absl::StatusOr<std::string> ReadFileHead(const OpenFile& file, size_t bytes) {
  std::string head(bytes, '\0');
  size_t have = 0;
  while (have < bytes) {
    const auto room = static_cast<DWORD>(std::min<size_t>(bytes - have, kPieceBytes));
    CORDON_ASSIGN_OR_RETURN(const DWORD got, ReadAt(file, have, head.data() + have, room));
    if (got == 0) break;
    have += got;
  }
  head.resize(have);
  return head;
}

absl::Status ReadFolder(const std::filesystem::path& folder, const std::function<bool(FolderEntry)>& visit) {
  CORDON_ASSIGN_OR_RETURN(const FileMetadata own, ReadFileMetadata(folder));
  if (own.type != FileType::kDirectory)
    return absl::FailedPreconditionError(StrCat(Printable(Shown(folder)), " is no folder"));
  const std::string what = On("cannot read the folder", folder);
  WIN32_FIND_DATAW found{};
  HANDLE const search = FindFirstFileExW((LongPath(folder) + L"\\*").c_str(), FindExInfoBasic, &found,
                                         FindExSearchNameMatch, nullptr, FIND_FIRST_EX_LARGE_FETCH);
  if (search == INVALID_HANDLE_VALUE)
    return GetLastError() == ERROR_FILE_NOT_FOUND ? absl::OkStatus() : LastError(what);
  const std::unique_ptr<void, decltype([](void* open) { FindClose(open); })> closer(search);
  do {
    const std::wstring_view name = found.cFileName;
    if (name == L"." || name == L"..") continue;
    absl::StatusOr<FileMetadata> metadata = ReadFileMetadata(folder / name);
    if (absl::IsNotFound(metadata.status())) continue;  // gone since the folder was read
    FolderEntry entry{.name = NameBytes(name), .status = metadata.status(), .metadata = {}};
    if (metadata.ok()) entry.metadata = *std::move(metadata);
    if (!visit(std::move(entry))) return absl::OkStatus();
  } while (FindNextFileW(search, &found) != 0);
  return GetLastError() == ERROR_NO_MORE_FILES ? absl::OkStatus() : LastError(what);
}

absl::StatusOr<Filesystem> ReadFilesystem(const std::filesystem::path& path) {
  const std::string what = On("cannot tell the file system of", path);
  wchar_t root[MAX_PATH + 1] = {};
  if (GetVolumePathNameW(path.c_str(), root, std::size(root)) == 0) return LastError(what);
  wchar_t name[MAX_PATH + 1] = {};
  if (GetVolumeInformationW(root, nullptr, 0, nullptr, nullptr, nullptr, name, std::size(name)) == 0)
    return LastError(what);
  return Filesystem{
      .kind = GetDriveTypeW(root) == DRIVE_REMOTE ? FilesystemKind::kNetwork : FilesystemKind::kLocal,
      .name = Narrow(name)};
}

}  // namespace cordon::platform
