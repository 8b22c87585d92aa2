#include "platform/api/socket_owners.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "common/base/strings.h"
#include "platform/linux/processes/proc_files.h"

namespace cordon::platform {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};

// What a link below `folder` says; empty when it cannot be read.
std::string ReadLinkAt(int folder, const char* name) {
  std::array<char, 4096> text;
  const ssize_t size = readlinkat(folder, name, text.data(), text.size());
  return size > 0 ? std::string(text.data(), static_cast<size_t>(size)) : std::string();
}

// "socket:[1234]" -> 1234
std::optional<uint64_t> SocketNumber(std::string_view link) {
  constexpr std::string_view kBefore = "socket:[";
  if (!link.starts_with(kBefore)) return std::nullopt;
  link.remove_prefix(kBefore.size());
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(link.data(), link.data() + link.size(), number);
  if (error != std::errc() || end == link.data() + link.size() || *end != ']') return std::nullopt;
  return number;
}

std::string ExecutableOf(uint32_t pid) {
  constexpr std::string_view kDeleted = " (deleted)";  // replaced by an upgrade while it runs
  std::string path = ReadLinkAt(AT_FDCWD, StrCat("/proc/", pid, "/exe").c_str());
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return path;
}

void AddOwned(uint32_t pid, const std::unordered_set<uint64_t>& wanted,
              std::unordered_map<uint64_t, SocketOwner>* owners) {
  const std::unique_ptr<DIR, CloseFolder> folder(opendir(StrCat("/proc/", pid, "/fd").c_str()));
  if (!folder) return;  // ended in the meantime
  std::optional<std::string> executable;
  while (const dirent* entry = readdir(folder.get())) {
    if (entry->d_type != DT_LNK) continue;
    const auto number =
        SocketNumber(ReadLinkAt(dirfd(folder.get()), static_cast<const char*>(entry->d_name)));
    if (!number || !wanted.contains(*number) || owners->contains(*number)) continue;
    if (!executable) executable = ExecutableOf(pid);
    owners->emplace(*number, SocketOwner{pid, *executable});
  }
}

}  // namespace

std::unordered_map<uint64_t, SocketOwner> FindSocketOwners(const std::unordered_set<uint64_t>& owner_keys) {
  std::unordered_map<uint64_t, SocketOwner> owners;
  std::vector<uint32_t> pids = ListProcPids();
  std::sort(pids.begin(), pids.end());
  for (const uint32_t pid : pids) {
    if (owners.size() == owner_keys.size()) break;
    AddOwned(pid, owner_keys, &owners);
  }
  return owners;
}

}  // namespace cordon::platform
