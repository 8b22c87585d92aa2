#pragma once

#include <string>
#include <utility>
#include <vector>

#include "platform/windows/registry/autostart.h"
#include "platform/windows/registry/registry_changes.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform {

// Owns an open key.
class RegistryKey {
 public:
  RegistryKey() = default;
  RegistryKey(RegistryKey&& other) noexcept : key_(std::exchange(other.key_, nullptr)) {}
  RegistryKey& operator=(RegistryKey&& other) noexcept {
    std::swap(key_, other.key_);
    return *this;
  }
  ~RegistryKey() {
    if (key_ != nullptr) RegCloseKey(key_);
  }
  // ERROR_SUCCESS, ERROR_FILE_NOT_FOUND when there is none, or why it cannot be read.
  LSTATUS Open(HKEY parent, const std::wstring& key);

  bool Valid() const { return key_ != nullptr; }
  HKEY Get() const { return key_; }

 private:
  HKEY key_ = nullptr;
};

struct RegistryLook {
  RegistrySnapshot entries;
  bool whole = true;  // neither a limit nor a key that may not be read kept something out
};

// What `watch` asks for below `root`, which is `hive` in paths ("HKLM", "HKU/S-1-5-…").
RegistryLook LookAtRegistry(HKEY root, const std::string& hive, const RegistryWatch& watch);

// The users whose hives are loaded: names of subkeys of HKEY_USERS.
std::vector<std::wstring> LoadedUsers();

}  // namespace cordon::platform
