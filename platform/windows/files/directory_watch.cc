#include "platform/windows/files/directory_watch.h"

#include <utility>

#include "common/base/status.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

// The kernel's own buffer has the size of the first read; larger ones come out of non-paged memory.
constexpr DWORD kBufferBytes = 64 * 1024;
constexpr DWORD kFilter = FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME |
                          FILE_NOTIFY_CHANGE_ATTRIBUTES | FILE_NOTIFY_CHANGE_SIZE |
                          FILE_NOTIFY_CHANGE_LAST_WRITE | FILE_NOTIFY_CHANGE_SECURITY;

}  // namespace

DirectoryWatch::DirectoryWatch(std::filesystem::path path)
    : path_(std::move(path)),
      event_(CreateEventW(nullptr, TRUE, FALSE, nullptr)),
      buffer_(kBufferBytes / sizeof(uint32_t)) {}

absl::Status DirectoryWatch::Open() {
  const std::string what = StrCat("cannot watch ", Shown(path_));
  folder_ = Handle(CreateFileW(LongPath(path_).c_str(), FILE_LIST_DIRECTORY,
                               FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr, OPEN_EXISTING,
                               FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OVERLAPPED, nullptr));
  if (!folder_.Valid()) {
    const absl::Status failed = LastError(what);
    folder_ = Handle();
    return failed;
  }
  return Ask();
}

absl::Status DirectoryWatch::Ask() {
  const std::string what = StrCat("cannot watch ", Shown(path_));
  ResetEvent(event_.Get());
  wanted_ = {};
  wanted_.hEvent = event_.Get();
  pending_ = ReadDirectoryChangesW(folder_.Get(), buffer_.data(), kBufferBytes, TRUE, kFilter, nullptr,
                                   &wanted_, nullptr) != 0;
  if (pending_) return absl::OkStatus();
  const absl::Status failed = LastError(what);
  Close();
  return failed;
}

std::vector<NotifyRecord> DirectoryWatch::Take(bool* lost) {
  DWORD got = 0;
  pending_ = false;
  if (GetOverlappedResult(folder_.Get(), &wanted_, &got, FALSE) == 0 || got == 0) {
    *lost = true;
    return {};
  }
  bool whole = false;
  std::vector<NotifyRecord> records =
      DecodeNotifications({reinterpret_cast<const uint8_t*>(buffer_.data()), got}, &whole);
  *lost = !whole;
  return records;
}

void DirectoryWatch::Close() {
  if (pending_) {
    CancelIoEx(folder_.Get(), &wanted_);
    DWORD got = 0;
    GetOverlappedResult(folder_.Get(), &wanted_, &got,
                        TRUE);  // the kernel writes into the buffer until then
    pending_ = false;
  }
  folder_ = Handle();
}

}  // namespace cordon::platform
