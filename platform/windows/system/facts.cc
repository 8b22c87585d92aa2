
#include "common/base/hex.h"
#include "common/base/strings.h"
#include "common/crypto/digest.h"
#include "platform/api/system.h"
#include "platform/windows/system/adapters.h"
#include "platform/windows/system/boot.h"
#include "platform/windows/system/registry.h"
#include "platform/windows/system/text.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform {
namespace {

constexpr const wchar_t* kVersionKey = L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion";

std::string HostName() {
  wchar_t name[256] = {};
  DWORD length = std::size(name);
  if (GetComputerNameExW(ComputerNameDnsHostname, name, &length) == 0) return {};
  return Narrow({name, length});
}

std::string Architecture() {
  SYSTEM_INFO info{};
  GetNativeSystemInfo(&info);
  switch (info.wProcessorArchitecture) {
    case PROCESSOR_ARCHITECTURE_AMD64:
      return "x86_64";
    case PROCESSOR_ARCHITECTURE_ARM64:
      return "aarch64";
    default:
      return "x86";
  }
}

int64_t NanosOf(const FILETIME& time) {
  return static_cast<int64_t>((uint64_t{time.dwHighDateTime} << 32) | time.dwLowDateTime) * 100;
}

}  // namespace

SystemFacts ReadSystemFacts() {
  SystemFacts facts;
  facts.host_name = HostName();
  facts.os = ReadMachineText(kVersionKey, L"ProductName").value_or("Windows");
  facts.kernel = StrCat("10.0.", ReadMachineText(kVersionKey, L"CurrentBuildNumber").value_or("?"));
  facts.architecture = Architecture();
  facts.boot_id = ThisBoot().id;
  const std::string machine =
      ReadMachineText(L"SOFTWARE\\Microsoft\\Cryptography", L"MachineGuid").value_or("");
  if (!machine.empty()) facts.machine_id_sha256 = HexEncode(Sha256(machine));
  for (const Adapter& adapter : ListAdapters()) {
    if (adapter.loopback) continue;
    for (const auto& address : adapter.addresses) facts.addresses.push_back(address.to_string());
  }
  return facts;
}

OwnResourceUse ReadOwnResourceUse() {
  OwnResourceUse use;
  PROCESS_MEMORY_COUNTERS memory{};
  memory.cb = sizeof(memory);
  if (GetProcessMemoryInfo(GetCurrentProcess(), &memory, sizeof(memory)) != 0)
    use.resident_bytes = memory.WorkingSetSize;
  FILETIME created{};
  FILETIME ended{};
  FILETIME kernel{};
  FILETIME user{};
  if (GetProcessTimes(GetCurrentProcess(), &created, &ended, &kernel, &user) != 0)
    use.cpu_nanos = NanosOf(kernel) + NanosOf(user);
  return use;
}

// Lowers CPU, I/O and memory priority of the thread.
absl::Status LowerThreadPriority() {
  constexpr DWORD kIsAlready = 400;  // ERROR_THREAD_MODE_ALREADY_BACKGROUND, which mingw lacks
  if (SetThreadPriority(GetCurrentThread(), THREAD_MODE_BACKGROUND_BEGIN) != 0 ||
      GetLastError() == kIsAlready)
    return absl::OkStatus();
  return LastError("cannot take the background class");
}

}  // namespace cordon::platform
