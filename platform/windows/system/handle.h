#pragma once

#include <utility>

#include "platform/windows/system/windows.h"

namespace cordon::platform {

// Owns a handle that CloseHandle closes.
class Handle {
 public:
  Handle() = default;
  explicit Handle(HANDLE handle) : handle_(handle) {}
  Handle(Handle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Handle() {
    if (Valid()) CloseHandle(handle_);
  }

  bool Valid() const { return handle_ != nullptr && handle_ != INVALID_HANDLE_VALUE; }
  HANDLE Get() const { return handle_; }
  HANDLE Release() { return std::exchange(handle_, nullptr); }

 private:
  HANDLE handle_ = nullptr;
};

// Owns what LocalFree frees.
template <typename T>
class LocalMemory {
 public:
  LocalMemory() = default;
  LocalMemory(const LocalMemory&) = delete;
  LocalMemory& operator=(const LocalMemory&) = delete;
  ~LocalMemory() {
    if (memory_ != nullptr) LocalFree(memory_);
  }
  T Get() const { return memory_; }
  T* Out() { return &memory_; }

 private:
  T memory_ = nullptr;
};

}  // namespace cordon::platform
