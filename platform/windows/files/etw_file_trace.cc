#include <atomic>
#include <bit>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "platform/api/file_names.h"
#include "platform/api/system.h"
#include "platform/windows/files/file_trace.h"
#include "platform/windows/files/file_trace_decode.h"
#include "platform/windows/system/boot.h"
#include "platform/windows/system/etw_follower.h"
#include "platform/windows/system/handle.h"
#include "platform/windows/system/text.h"
#include "platform/windows/system/trace_loss.h"

namespace cordon::platform {
namespace {

constexpr GUID kKernelFile = {0xedd08927, 0x9cc4, 0x4e65, {0xb9, 0x70, 0xc2, 0x56, 0x0f, 0xb5, 0xc2, 0x89}};
constexpr uint32_t kSystemProcess = 4;

// The name of a session, held for as long as this lives. When a policy changes, the next trace begins before
// this one ends: with one name the second would end the first, and be ended by it in turn.
class SessionName {
 public:
  SessionName() {
    uint32_t taken = taken_;
    do {
      number_ = std::countr_one(taken);
    } while (!taken_.compare_exchange_weak(taken, taken | Bit()));
    // What a dead agent has left behind goes on for ever.
    for (int left = 0; taken == 0 && left < kMostLeft; ++left)
      if (left != number_) EtwSession::End(Name(left));
  }
  SessionName(const SessionName&) = delete;
  SessionName& operator=(const SessionName&) = delete;
  ~SessionName() { taken_ &= ~Bit(); }

  std::wstring Get() const { return Name(number_); }

 private:
  static constexpr int kMostLeft = 2;

  static std::wstring Name(int number) {
    return number == 0 ? L"Cordon files" : L"Cordon files " + std::to_wstring(number + 1);
  }
  uint32_t Bit() const { return number_ < 32 ? uint32_t{1} << number_ : 0; }

  inline static std::atomic<uint32_t> taken_ = 0;
  int number_ = 0;
};

// The folder as the kernel names it; empty while it is not there.
std::u16string DeviceNameOf(const std::filesystem::path& folder) {
  const Handle open(CreateFileW(LongPath(folder).c_str(), FILE_READ_ATTRIBUTES,
                                FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, nullptr));
  if (!open.Valid()) return {};
  constexpr DWORD kLongest = 32 * 1024;
  std::wstring name(kLongest, L'\0');
  const DWORD length = GetFinalPathNameByHandleW(open.Get(), name.data(), kLongest, VOLUME_NAME_NT);
  if (length == 0 || length >= kLongest) return {};
  return {name.begin(), name.begin() + length};
}

class EtwFileTrace final : public FileTrace {
 public:
  ~EtwFileTrace() override { Stop(); }

  absl::Status Start(const FileWatch& watch) override {
    watch_ = watch;
    FindFolders();
    SetOffset();
    return follower_.Start(
        {.name = name_.Get(),
         .provider =
             EtwProvider{.id = kKernelFile, .keywords = kFileTraceKeywords, .event_ids = FileTraceEvents()}},
        {.event = [this](const EVENT_RECORD& record) { Take(record); },
         .buffer = [this] { LookForLoss(); },
         .begun_anew =
             [this] {
               loss_.BeginAnew(clock_->BootNanos());
               Forget();
             }});
  }

  void Stop() override { follower_.Stop(); }

  void Hurry() override {
    if (!all_found_) FindFolders();
    follower_.Hurry();
  }

  std::optional<FileDoer> Find(const RawFileEvent& event) const override {
    if (!Follows()) return std::nullopt;  // somebody else may have been the last since
    const std::lock_guard lock(mutex_);
    return deeds_.Find(event);
  }

  bool Follows() const override { return follower_.Follows(); }

 private:
  // Folders to watch may come later.
  void FindFolders() {
    std::vector<DevicePath> folders;
    for (const std::filesystem::path& root : watch_.roots)
      folders.push_back({.device = DeviceNameOf(root), .path = NameBytes(root)});
    std::vector<std::string> excluded;
    for (const std::filesystem::path& path : watch_.excluded) excluded.push_back(NameBytes(path));
    DevicePaths found(std::move(folders));
    all_found_ = found.Size() == watch_.roots.size();
    const std::lock_guard lock(mutex_);
    deeds_.Watch(std::move(found), excluded);
  }

  // Records are stamped by the clock of the wall, which may be set; a fraction of a second ago it was as it
  // is now.
  void SetOffset() { offset_ = clock_->BootNanos() - clock_->WallNanos(); }

  void Take(const EVENT_RECORD& event) {
    const EVENT_HEADER& head = event.EventHeader;
    if (IsEqualGUID(head.ProviderId, kKernelFile) == 0) return;
    const std::optional<FileTraceRecord> record =
        DecodeFileTrace(head.EventDescriptor.Id, head.EventDescriptor.Version,
                        {static_cast<const uint8_t*>(event.UserData), event.UserDataLength});
    if (!record.has_value()) return;
    const int64_t when = UnixNanosOfFileTime(static_cast<uint64_t>(head.TimeStamp.QuadPart)) + offset_;
    const std::lock_guard lock(mutex_);
    deeds_.Take(*record, DoerOf(head, *record), when);
  }

  // Whoever ran when the record was made; nobody where it was made for another thread, and where the system
  // may have done it for others: the cache moves the ends of files that programs wrote.
  static uint32_t DoerOf(const EVENT_HEADER& head, const FileTraceRecord& record) {
    if (record.thread != 0 && record.thread != head.ThreadId) return 0;
    if (record.kind == FileTraceRecord::kSetInformation && head.ProcessId == kSystemProcess) return 0;
    return head.ProcessId;
  }

  // After each buffer. Whether something was lost that would have been the last deed, nobody knows.
  void LookForLoss() {
    SetOffset();
    if (loss_.Look(follower_.Lost(), clock_->BootNanos()).has_value()) Forget();
  }

  void Forget() {
    const std::lock_guard lock(mutex_);
    deeds_.Forget();
  }

  const SessionName name_;
  const std::unique_ptr<Clock> clock_ = MakeSystemClock();
  FileWatch watch_;
  std::atomic<bool> all_found_ = false;
  mutable std::mutex mutex_;
  FileDeeds deeds_;     // guarded by mutex_
  int64_t offset_ = 0;  // the follower's thread's own, as the next
  TraceLoss loss_;
  EtwFollower follower_;  // last: its thread uses the others
};

}  // namespace

std::unique_ptr<FileTrace> MakeEtwFileTrace() {
  return std::make_unique<EtwFileTrace>();
}

}  // namespace cordon::platform
