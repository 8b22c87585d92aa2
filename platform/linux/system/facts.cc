#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>

#include "common/base/hex.h"
#include "common/crypto/digest.h"
#include "platform/api/system.h"

namespace cordon::platform {
namespace {

std::string FirstLine(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string PrettyOsName() {
  std::ifstream file("/etc/os-release");
  constexpr std::string_view kKey = "PRETTY_NAME=";
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(kKey)) continue;
    line.erase(0, kKey.size());
    if (line.size() >= 2 && line.front() == '"' && line.back() == '"') line = line.substr(1, line.size() - 2);
    return line;
  }
  return "Linux";
}

std::vector<std::string> InterfaceAddresses() {
  std::vector<std::string> addresses;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return addresses;
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> own(list, freeifaddrs);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_LOOPBACK) != 0) continue;
    std::array<char, INET6_ADDRSTRLEN> text{};
    const void* raw = nullptr;
    if (entry->ifa_addr->sa_family == AF_INET) {
      raw = &reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr;
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      raw = &reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr)->sin6_addr;
    }
    if (raw != nullptr && inet_ntop(entry->ifa_addr->sa_family, raw, text.data(), text.size()) != nullptr) {
      addresses.emplace_back(text.data());
    }
  }
  return addresses;
}

int64_t Nanos(const timeval& time) {
  return int64_t{time.tv_sec} * kNanosPerSecond + time.tv_usec * 1000;
}

}  // namespace

SystemFacts ReadSystemFacts() {
  SystemFacts facts;
  utsname names{};
  if (uname(&names) == 0) {
    facts.host_name = names.nodename;
    facts.kernel = names.release;
    facts.architecture = names.machine;
  }
  facts.os = PrettyOsName();
  facts.boot_id = FirstLine("/proc/sys/kernel/random/boot_id");
  const std::string machine_id = FirstLine("/etc/machine-id");
  if (!machine_id.empty()) facts.machine_id_sha256 = HexEncode(Sha256(machine_id));
  facts.addresses = InterfaceAddresses();
  return facts;
}

OwnResourceUse ReadOwnResourceUse() {
  OwnResourceUse use;
  std::ifstream statm("/proc/self/statm");
  uint64_t total_pages = 0;
  uint64_t resident_pages = 0;
  if (statm >> total_pages >> resident_pages) {
    use.resident_bytes = resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  }
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) use.cpu_nanos = Nanos(usage.ru_utime) + Nanos(usage.ru_stime);
  return use;
}

absl::Status LowerThreadPriority() {
  constexpr int kIoprioWhoProcess = 1;
  constexpr int kIoprioClassIdle = 3 << 13;
  const sched_param no_priority{};
  if (sched_setscheduler(0, SCHED_IDLE, &no_priority) != 0) {
    return absl::ErrnoToStatus(errno, "cannot take the idle CPU class");
  }
  if (syscall(SYS_ioprio_set, kIoprioWhoProcess, 0, kIoprioClassIdle) != 0) {
    return absl::ErrnoToStatus(errno, "cannot take the idle I/O class");
  }
  return absl::OkStatus();
}

}  // namespace cordon::platform
