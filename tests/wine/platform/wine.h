#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "common/base/strings.h"
#include "common/base/uuid.h"
#include "platform/windows/system/windows.h"

namespace cordon::testing {

// wine is no Windows: a case whose call it lacks says which one, and is skipped.
inline bool UnderWine() {
  return GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != nullptr;
}
#define CORDON_SKIP_UNDER_WINE(api) \
  if (::cordon::testing::UnderWine()) GTEST_SKIP() << "wine lacks " << (api)

// What was built into the folder of this test's program.
inline std::filesystem::path BesideThisProgram(const std::string& name) {
  std::wstring path(MAX_PATH, L'\0');
  path.resize(GetModuleFileNameW(nullptr, path.data(), MAX_PATH));
  return std::filesystem::path(path).parent_path() / name;
}

// A folder of its own for a test, gone afterwards.
class WindowsFolder {
 public:
  WindowsFolder() : path_(std::filesystem::temp_directory_path() / StrCat("cordon-test-", NewUuid())) {
    std::filesystem::create_directory(path_);
  }
  WindowsFolder(const WindowsFolder&) = delete;
  WindowsFolder& operator=(const WindowsFolder&) = delete;
  ~WindowsFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& Path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// What a source has delivered; waits for what is expected.
template <typename Event>
class Log {
 public:
  std::function<void(std::span<Event>)> Deliver() {
    return [this](std::span<Event> events) {
      const std::lock_guard lock(mutex_);
      events_.insert(events_.end(), events.begin(), events.end());
      changed_.notify_all();
    };
  }
  bool WaitFor(const std::function<bool(const Event&)>& wanted) {
    constexpr std::chrono::seconds kPatience(20);
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return std::ranges::any_of(events_, wanted); });
  }
  std::vector<Event> Events() {
    const std::lock_guard lock(mutex_);
    return events_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> events_;
};

// Runs a command line to its end; its exit code, or -1.
inline int Run(std::wstring line, DWORD* pid = nullptr) {
  STARTUPINFOW startup{};
  startup.cb = sizeof(startup);
  PROCESS_INFORMATION made{};
  if (CreateProcessW(nullptr, line.data(), nullptr, nullptr, FALSE, CREATE_NO_WINDOW, nullptr, nullptr,
                     &startup, &made) == 0)
    return -1;
  if (pid != nullptr) *pid = made.dwProcessId;
  WaitForSingleObject(made.hProcess, INFINITE);
  DWORD code = 0;
  GetExitCodeProcess(made.hProcess, &code);
  CloseHandle(made.hThread);
  CloseHandle(made.hProcess);
  return static_cast<int>(code);
}

}  // namespace cordon::testing
