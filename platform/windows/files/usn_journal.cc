#include "platform/windows/files/usn_journal.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/base/status.h"
#include "platform/windows/system/handle.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

constexpr DWORD kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
constexpr DWORD kPageBytes = 64 * 1024;
constexpr DWORD kLongestPath = 32 * 1024;

// READ_USN_JOURNAL_DATA_V1, which mingw's header lacks: with the versions of records that are understood.
struct ReadRequest {
  int64_t start_usn = 0;
  uint32_t reason_mask = 0xffffffff;
  uint32_t return_only_on_close = 0;
  uint64_t timeout = 0;
  uint64_t bytes_to_wait_for = 0;
  uint64_t journal = 0;
  uint16_t min_major_version = 2;
  uint16_t max_major_version = 3;
};
static_assert(sizeof(ReadRequest) == 48);
static_assert(sizeof(USN_JOURNAL_DATA) == 56);

std::u16string Units(std::wstring_view text) {
  return {text.begin(), text.end()};
}

class Volume final : public UsnVolume {
 public:
  Volume(Handle volume, std::string shown) : volume_(std::move(volume)), shown_(std::move(shown)) {}

  absl::StatusOr<UsnJournal> Query() override {
    const std::string what = StrCat("cannot ask for the journal of ", shown_);
    USN_JOURNAL_DATA data{};
    DWORD got = 0;
    if (DeviceIoControl(volume_.Get(), FSCTL_QUERY_USN_JOURNAL, nullptr, 0, &data, sizeof(data), &got,
                        nullptr) == 0)
      return LastError(what);
    if (got < sizeof(data)) return absl::UnavailableError(StrCat(what, ": the answer is too short"));
    return UsnJournal{.id = data.UsnJournalID, .first_usn = data.FirstUsn, .next_usn = data.NextUsn};
  }

  absl::StatusOr<std::vector<uint8_t>> Read(uint64_t journal, int64_t from) override {
    const std::string what = StrCat("cannot read the journal of ", shown_);
    ReadRequest request{.start_usn = from, .journal = journal};
    std::vector<uint8_t> page(kPageBytes);
    DWORD got = 0;
    if (DeviceIoControl(volume_.Get(), FSCTL_READ_USN_JOURNAL, &request, sizeof(request), page.data(),
                        kPageBytes, &got, nullptr) == 0) {
      const DWORD error = GetLastError();
      const absl::Status failed = WindowsError(error, what);
      return error == ERROR_JOURNAL_ENTRY_DELETED ? absl::OutOfRangeError(StrCat(Message(failed))) : failed;
    }
    page.resize(got);
    return page;
  }

  absl::StatusOr<std::u16string> PathOfFolder(const UsnFileId& folder) override {
    const std::string what = StrCat("cannot tell a folder of ", shown_);
    FILE_ID_DESCRIPTOR id{};
    id.dwSize = sizeof(id);
    id.Type = folder.high == 0 ? FileIdType : ExtendedFileIdType;
    if (folder.high == 0) {
      id.FileId.QuadPart = static_cast<LONGLONG>(folder.low);
    } else {
      std::memcpy(&id.ExtendedFileId, &folder, sizeof(id.ExtendedFileId));
    }
    const Handle open(OpenFileById(volume_.Get(), &id, FILE_READ_ATTRIBUTES, kShareAll, nullptr,
                                   FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT));
    if (!open.Valid()) return NotThere(what);
    std::wstring path(kLongestPath, L'\0');
    const DWORD length = GetFinalPathNameByHandleW(open.Get(), path.data(), kLongestPath, VOLUME_NAME_DOS);
    if (length == 0 || length >= kLongestPath) return NotThere(what);
    path.resize(length);
    constexpr std::wstring_view kPrefix = LR"(\\?\)";
    return Units(path.starts_with(kPrefix) ? path.substr(kPrefix.size()) : path);
  }

 private:
  // A number that is no file's any more is a wrong parameter to the system.
  static absl::Status NotThere(const std::string& what) {
    const DWORD error = GetLastError();
    const absl::Status failed = WindowsError(error, what);
    return error == ERROR_INVALID_PARAMETER || error == ERROR_DELETE_PENDING
               ? absl::NotFoundError(StrCat(Message(failed)))
               : failed;
  }

  const Handle volume_;
  const std::string shown_;
};
static_assert(sizeof(UsnFileId) == sizeof(FILE_ID_128));

absl::StatusOr<std::unique_ptr<UsnVolume>> OpenVolume(std::wstring name, const std::string& shown) {
  const std::string what = StrCat("cannot open the volume of ", shown);
  while (name.ends_with(L'\\')) name.pop_back();  // with it, it is the volume's root folder
  Handle volume(CreateFileW(name.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr,
                            OPEN_EXISTING, 0, nullptr));
  if (!volume.Valid()) return LastError(what);
  return std::make_unique<Volume>(std::move(volume), shown);
}

// Where the folder's volume is mounted, and its name: both "C:\" for one that has no name of its own.
std::pair<std::wstring, std::wstring> VolumeOf(const std::filesystem::path& folder) {
  wchar_t mounted_at[MAX_PATH + 1] = {};
  if (GetVolumePathNameW(folder.c_str(), mounted_at, std::size(mounted_at)) == 0)
    return {folder.root_path().native(), folder.root_path().native()};
  wchar_t name[MAX_PATH + 1] = {};
  if (GetVolumeNameForVolumeMountPointW(mounted_at, name, std::size(name)) == 0)
    return {mounted_at, mounted_at};
  return {mounted_at, name};
}

}  // namespace

std::vector<UsnJournals::Volume> OpenUsnVolumes(std::span<const std::filesystem::path> folders) {
  std::vector<UsnJournals::Volume> volumes;
  for (const std::filesystem::path& folder : folders) {
    const auto [mounted_at, name] = VolumeOf(folder);
    const std::string key = Narrow(name);
    if (std::ranges::any_of(volumes, [&](const UsnJournals::Volume& known) { return known.name == key; }))
      continue;
    volumes.push_back(
        {.name = key, .mounted_at = Units(mounted_at), .volume = OpenVolume(name, Narrow(mounted_at))});
  }
  return volumes;
}

}  // namespace cordon::platform
