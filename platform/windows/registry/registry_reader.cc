#include "platform/windows/registry/registry_reader.h"

#include "platform/windows/registry/registry_path.h"

namespace cordon::platform {
namespace {

constexpr size_t kMostEntries = 20'000;  // of one look
// Of one look's paths and texts: a name may be long, and whoever is logged on may make many in his own keys.
constexpr size_t kMostBytesOfMachine = 4 * 1024 * 1024;
constexpr size_t kMostBytesOfUser = 1024 * 1024;
constexpr DWORD kMostDataBytes = 1024 * 1024;  // of a value; a longer one is known by its size alone
constexpr DWORD kLongestName = 16'384;         // of a value; keys' have 255
constexpr size_t kMostUsers = 256;

std::u16string Units(std::wstring_view text) {
  return {text.begin(), text.end()};
}
std::wstring WideUnits(std::u16string_view text) {
  return {text.begin(), text.end()};
}

// The names of a key's subkeys; false when not all could be told.
bool ReadSubkeys(HKEY key, size_t most, std::vector<std::wstring>* names) {
  wchar_t name[MAX_PATH + 1] = {};
  for (DWORD index = 0; names->size() < most; ++index) {
    DWORD length = std::size(name);
    const LSTATUS read = RegEnumKeyExW(key, index, name, &length, nullptr, nullptr, nullptr, nullptr);
    if (read == ERROR_NO_MORE_ITEMS) return true;
    if (read != ERROR_SUCCESS) return false;
    names->emplace_back(name, length);
  }
  return false;
}

class Reader {
 public:
  explicit Reader(const RegistryWatch& watch)
      : watch_(watch), name_(kLongestName, L'\0'), data_(kFirstBytes) {}

  void ReadKey(HKEY key, const std::string& path, int level) {
    ReadValues(key, path);
    if (level > watch_.depth) return;  // of `only_below`
    if (level > 0 && !watch_.only_below.empty())
      Enter(key, WideUnits(watch_.only_below), path, watch_.depth + 1);
    if (level == watch_.depth) return;
    std::vector<std::wstring> names;
    if (!ReadSubkeys(key, kMostEntries, &names)) look_.whole = false;
    for (const std::wstring& name : names) {
      if (watch_.tell_keys)
        Add(RegistrySubkeyPath(path, Units(name)), {.is_key = true, .size = 0, .sha256 = {}, .text = {}});
      Enter(key, name, path, level + 1);
    }
  }

  RegistryLook Take() { return std::move(look_); }

 private:
  static constexpr size_t kFirstBytes = 4096;

  void Enter(HKEY parent, const std::wstring& name, const std::string& path, int level) {
    RegistryKey key;
    const LSTATUS opened = key.Open(parent, name);
    if (opened == ERROR_SUCCESS) ReadKey(key.Get(), RegistrySubkeyPath(path, Units(name)), level);
    // What goes while this looks is gone.
    const bool gone = opened == ERROR_FILE_NOT_FOUND || opened == ERROR_KEY_DELETED;
    if (opened != ERROR_SUCCESS && !gone) look_.whole = false;
  }

  void ReadValues(HKEY key, const std::string& path) {
    for (DWORD index = 0;; ++index) {
      DWORD length = kLongestName;
      DWORD type = 0;
      auto bytes = static_cast<DWORD>(data_.size());
      LSTATUS read = RegEnumValueW(key, index, name_.data(), &length, nullptr, &type, data_.data(), &bytes);
      const bool longer = read == ERROR_MORE_DATA;
      if (longer && bytes > data_.size() && bytes <= kMostDataBytes) {
        data_.resize(bytes);
        --index;  // once more
        continue;
      }
      if (longer) {
        length = kLongestName;
        read = RegEnumValueW(key, index, name_.data(), &length, nullptr, &type, nullptr, &bytes);
      }
      if (read == ERROR_NO_MORE_ITEMS) return;
      if (read != ERROR_SUCCESS) {
        look_.whole = false;
        return;
      }
      const std::u16string name = Units({name_.data(), length});
      if (!WantsValue(watch_, name)) continue;
      Add(RegistryValuePath(path, name),
          longer ? RegistryEntry{.is_key = false, .size = bytes, .sha256 = {}, .text = {}}
                 : EntryOfValue(type, {data_.data(), bytes}));
    }
  }

  void Add(std::string path, RegistryEntry entry) {
    bytes_ += path.size() + entry.text.size();
    const bool too_long = bytes_ > (watch_.of_users ? kMostBytesOfUser : kMostBytesOfMachine);
    if (too_long || look_.entries.size() >= kMostEntries) {
      look_.whole = false;
      return;
    }
    look_.entries.emplace(std::move(path), std::move(entry));
  }

  const RegistryWatch& watch_;
  std::wstring name_;
  std::vector<uint8_t> data_;
  RegistryLook look_;
  size_t bytes_ = 0;
};

}  // namespace

LSTATUS RegistryKey::Open(HKEY parent, const std::wstring& key) {
  HKEY opened = nullptr;
  const LSTATUS result = RegOpenKeyExW(parent, key.c_str(), 0, KEY_READ | KEY_WOW64_64KEY, &opened);
  if (result == ERROR_SUCCESS) std::swap(key_, opened);
  if (opened != nullptr && result == ERROR_SUCCESS) RegCloseKey(opened);
  return result;
}

RegistryLook LookAtRegistry(HKEY root, const std::string& hive, const RegistryWatch& watch) {
  RegistryKey key;
  const LSTATUS opened = key.Open(root, WideUnits(watch.key));
  if (opened != ERROR_SUCCESS) return {.entries = {}, .whole = opened == ERROR_FILE_NOT_FOUND};
  Reader reader(watch);
  reader.ReadKey(key.Get(), RegistryKeyPath(hive, watch.key), 0);
  return reader.Take();
}

std::vector<std::wstring> LoadedUsers() {
  std::vector<std::wstring> users;
  ReadSubkeys(HKEY_USERS, kMostUsers, &users);
  // Classes are another hive of the same user; the default user is nobody.
  std::erase_if(users, [](const std::wstring& name) { return name.ends_with(L"_Classes"); });
  return users;
}

}  // namespace cordon::platform
