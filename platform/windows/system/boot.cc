#include "platform/windows/system/boot.h"

#include "common/base/strings.h"
#include "common/base/uuid.h"
#include "platform/api/system.h"
#include "platform/windows/system/text.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform {
namespace {

constexpr uint64_t kUnixEpochInFileTime = 116'444'736'000'000'000;
constexpr const wchar_t* kKey = L"SOFTWARE\\Cordon\\Boot";

class Key {
 public:
  Key() {
    if (RegCreateKeyExW(HKEY_LOCAL_MACHINE, kKey, 0, nullptr, REG_OPTION_VOLATILE, KEY_READ | KEY_WRITE,
                        nullptr, &key_, nullptr) != ERROR_SUCCESS)
      key_ = nullptr;
  }
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
  ~Key() {
    if (key_ != nullptr) RegCloseKey(key_);
  }

  bool Read(Boot* boot) const {
    wchar_t id[64] = {};
    DWORD id_bytes = sizeof(id);
    int64_t started = 0;
    DWORD started_bytes = sizeof(started);
    if (key_ == nullptr ||
        RegGetValueW(key_, nullptr, L"Id", RRF_RT_REG_SZ, nullptr, id, &id_bytes) != ERROR_SUCCESS ||
        RegGetValueW(key_, nullptr, L"Started", RRF_RT_REG_QWORD, nullptr, &started, &started_bytes) !=
            ERROR_SUCCESS)
      return false;
    *boot = {.id = Narrow(id), .started_unix_nanos = started};
    return true;
  }

  void Write(const Boot& boot) const {
    if (key_ == nullptr) return;
    const std::wstring id = Wide(boot.id);
    const auto started = static_cast<uint64_t>(boot.started_unix_nanos);
    RegSetValueExW(key_, L"Started", 0, REG_QWORD, reinterpret_cast<const BYTE*>(&started), sizeof(started));
    RegSetValueExW(key_, L"Id", 0, REG_SZ, reinterpret_cast<const BYTE*>(id.c_str()),
                   static_cast<DWORD>((id.size() + 1) * sizeof(wchar_t)));
  }

 private:
  HKEY key_ = nullptr;
};

Boot FindBoot() {
  const Key key;
  Boot boot;
  if (key.Read(&boot)) return boot;
  const std::unique_ptr<Clock> clock = MakeSystemClock();
  boot = {.id = NewUuid(), .started_unix_nanos = clock->WallNanos() - clock->BootNanos()};
  key.Write(boot);
  return boot;
}

}  // namespace

const Boot& ThisBoot() {
  static const Boot boot = FindBoot();
  return boot;
}

int64_t UnixNanosOfFileTime(uint64_t file_time) {
  return (static_cast<int64_t>(file_time) - static_cast<int64_t>(kUnixEpochInFileTime)) * 100;
}

int64_t BootNanosOfRecent(uint64_t file_time, const Clock& clock) {
  return UnixNanosOfFileTime(file_time) - (clock.WallNanos() - clock.BootNanos());
}

int64_t StartNanosAt(int64_t boottime_nanos, const Clock& clock) {
  return boottime_nanos + (clock.WallNanos() - clock.BootNanos()) - ThisBoot().started_unix_nanos;
}

int64_t BootNanosOfFileTime(uint64_t file_time) {
  return UnixNanosOfFileTime(file_time) - ThisBoot().started_unix_nanos;
}

}  // namespace cordon::platform
