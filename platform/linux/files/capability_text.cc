#include "platform/linux/files/capability_text.h"

#include <linux/capability.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <iterator>

#include "common/base/strings.h"

namespace cordon::platform {
namespace {

// By number, from linux/capability.h.
constexpr std::string_view kNames[] = {"chown",
                                       "dac_override",
                                       "dac_read_search",
                                       "fowner",
                                       "fsetid",
                                       "kill",
                                       "setgid",
                                       "setuid",
                                       "setpcap",
                                       "linux_immutable",
                                       "net_bind_service",
                                       "net_broadcast",
                                       "net_admin",
                                       "net_raw",
                                       "ipc_lock",
                                       "ipc_owner",
                                       "sys_module",
                                       "sys_rawio",
                                       "sys_chroot",
                                       "sys_ptrace",
                                       "sys_pacct",
                                       "sys_admin",
                                       "sys_boot",
                                       "sys_nice",
                                       "sys_resource",
                                       "sys_time",
                                       "sys_tty_config",
                                       "mknod",
                                       "lease",
                                       "audit_write",
                                       "audit_control",
                                       "setfcap",
                                       "mac_override",
                                       "mac_admin",
                                       "syslog",
                                       "wake_alarm",
                                       "block_suspend",
                                       "audit_read",
                                       "perfmon",
                                       "bpf",
                                       "checkpoint_restore"};

struct FileCapabilities {
  bool effective = false;
  uint64_t permitted = 0;
  uint64_t inheritable = 0;
};

uint32_t Word(std::string_view value, size_t index) {
  uint32_t word = 0;  // little-endian on disk
  for (size_t i = 0; i < 4; ++i) word |= uint32_t{static_cast<uint8_t>(value[4 * index + i])} << (8 * i);
  return word;
}

bool Read(std::string_view value, FileCapabilities* read) {
  if (value.size() < XATTR_CAPS_SZ_1) return false;
  const uint32_t magic = Word(value, 0);
  const bool wide = (magic & VFS_CAP_REVISION_MASK) != VFS_CAP_REVISION_1;
  if (wide && value.size() < XATTR_CAPS_SZ_2) return false;
  read->effective = (magic & VFS_CAP_FLAGS_EFFECTIVE) != 0;
  read->permitted = Word(value, 1);
  read->inheritable = Word(value, 2);
  if (!wide) return true;
  read->permitted |= uint64_t{Word(value, 3)} << 32;
  read->inheritable |= uint64_t{Word(value, 4)} << 32;
  return true;
}

std::string Name(size_t bit) {
  return bit < std::size(kNames) ? StrCat("cap_", kNames[bit]) : StrCat("cap_", bit);
}

void AppendGroup(uint64_t bits, std::string_view flags, std::string* text) {
  if (bits == 0) return;
  if (!text->empty()) text->push_back(' ');
  bool first = true;
  for (size_t bit = 0; bit < 64; ++bit) {
    if ((bits >> bit & 1) == 0) continue;
    StrAppend(text, first ? "" : ",", Name(bit));
    first = false;
  }
  StrAppend(text, "=", flags);
}

}  // namespace

std::string CapabilityText(std::string_view value) {
  FileCapabilities read;
  if (!Read(value, &read)) return "";
  const uint64_t both = read.permitted & read.inheritable;
  std::string text;
  AppendGroup(both, read.effective ? "eip" : "ip", &text);
  AppendGroup(read.permitted & ~both, read.effective ? "ep" : "p", &text);
  AppendGroup(read.inheritable & ~both, read.effective ? "ei" : "i", &text);
  return text;
}

}  // namespace cordon::platform
