#pragma once

#include <string>

namespace cordon::platform {

// What the agent needs and no more. In the order of MULTI_SZ.
inline constexpr wchar_t kPrivileges[] =
    L"SeChangeNotifyPrivilege\0"   // walk to files
    L"SeBackupPrivilege\0"         // read what it hashes, whatever the file's own rights are
    L"SeDebugPrivilege\0"          // ask any process for its image and command line
    L"SeSystemProfilePrivilege\0"  // the kernel's trace session
    L"SeImpersonatePrivilege\0"    // RPC to the filtering engine
    L"SeRestorePrivilege\0"        // make a file that belongs to somebody else
    L"SeSecurityPrivilege\0";

// Most of them are there and off when a service starts. Returns a sentence for those that cannot be turned
// on, and nothing when all are.
std::string EnablePrivileges();

}  // namespace cordon::platform
