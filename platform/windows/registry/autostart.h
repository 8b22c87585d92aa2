#pragma once

// Where Windows' registry says what starts by itself. Pure.

#include <string>
#include <vector>

namespace cordon::platform {

struct RegistryWatch {
  bool of_users = false;   // below the hive of every user who is logged on; else of HKEY_LOCAL_MACHINE
  std::u16string key;      // with backslashes
  int depth = 0;           // levels of subkeys that are looked into
  bool tell_keys = false;  // subkeys that come and go are told, down to `depth`
  std::vector<std::u16string> values;  // without regard to capitals; none: all
  std::u16string only_below;  // below each subkey this one alone is looked into, which is one more level
};

// Run and RunOnce of the machine, of its 32-bit programs and of users; services with their programs and
// libraries; tasks; the shell of a logon; what starts in the place of a program.
std::vector<RegistryWatch> AutostartWatches();

// Whether a value of this name is looked at.
bool WantsValue(const RegistryWatch& watch, std::u16string_view name);

}  // namespace cordon::platform
