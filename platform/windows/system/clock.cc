#include "common/base/clock.h"

#include "platform/api/system.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform {
namespace {

using InterruptTime = void(WINAPI*)(PULONGLONG);

// Counts sleep too, and nobody can set it; of Windows 10 on.
InterruptTime FindInterruptTime() {
  HMODULE const library = GetModuleHandleW(L"kernelbase.dll");
  FARPROC const found = library == nullptr ? nullptr : GetProcAddress(library, "QueryInterruptTimePrecise");
  return reinterpret_cast<InterruptTime>(reinterpret_cast<void*>(found));
}

class SystemClock final : public Clock {
 public:
  int64_t WallNanos() const override { return WallNowNanos(); }
  int64_t BootNanos() const override {
    if (interrupt_time_ == nullptr) return static_cast<int64_t>(GetTickCount64()) * kNanosPerMilli;
    ULONGLONG hundreds = 0;
    interrupt_time_(&hundreds);
    return static_cast<int64_t>(hundreds) * 100;
  }

 private:
  const InterruptTime interrupt_time_ = FindInterruptTime();
};

}  // namespace

std::unique_ptr<Clock> MakeSystemClock() {
  return std::make_unique<SystemClock>();
}

}  // namespace cordon::platform
