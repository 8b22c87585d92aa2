#include "platform/windows/system/process_facts.h"

#include <algorithm>
#include <memory>

#include "platform/windows/system/handle.h"
#include "platform/windows/system/text.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform {
namespace {

constexpr DWORD kMostPathUnits = 32'768;

uint64_t Join(const FILETIME& time) {
  return (uint64_t{time.dwHighDateTime} << 32) | time.dwLowDateTime;
}

std::optional<uint64_t> StartOf(HANDLE process) {
  FILETIME created{};
  FILETIME ended{};
  FILETIME kernel{};
  FILETIME user{};
  if (GetProcessTimes(process, &created, &ended, &kernel, &user) == 0) return std::nullopt;
  return Join(created);
}

std::string ImageOf(HANDLE process) {
  std::wstring path(kMostPathUnits, L'\0');
  DWORD length = kMostPathUnits;
  if (QueryFullProcessImageNameW(process, 0, path.data(), &length) == 0) return {};
  return Narrow({path.data(), length});
}

bool ReadMemory(HANDLE process, const void* from, void* to, size_t bytes) {
  SIZE_T got = 0;
  return ReadProcessMemory(process, from, to, bytes, &got) != 0 && got == bytes;
}

using QueryProcess = LONG(WINAPI*)(HANDLE, int, void*, ULONG, ULONG*);

QueryProcess FindQueryProcess() {
  FARPROC const found = GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtQueryInformationProcess");
  return reinterpret_cast<QueryProcess>(reinterpret_cast<void*>(found));
}

// Out of the process's own memory: it can have changed it. 64-bit processes; of 32-bit ones this is the
// 64-bit copy that the loader keeps.
std::string CommandLineOf(HANDLE process) {
  static const QueryProcess query = FindQueryProcess();
  PROCESS_BASIC_INFORMATION basic{};
  if (query == nullptr || query(process, ProcessBasicInformation, &basic, sizeof(basic), nullptr) != 0)
    return {};
  PEB peb{};
  RTL_USER_PROCESS_PARAMETERS parameters{};
  if (basic.PebBaseAddress == nullptr || !ReadMemory(process, basic.PebBaseAddress, &peb, sizeof(peb)) ||
      !ReadMemory(process, peb.ProcessParameters, &parameters, sizeof(parameters)))
    return {};
  std::wstring line(parameters.CommandLine.Length / sizeof(wchar_t), L'\0');
  if (line.empty() ||
      !ReadMemory(process, parameters.CommandLine.Buffer, line.data(), line.size() * sizeof(wchar_t)))
    return {};
  return Narrow(line);
}

Handle OpenToAsk(uint32_t pid, DWORD access) {
  return Handle(OpenProcess(access, FALSE, pid));
}

}  // namespace

std::vector<ListedProcess> ListProcesses() {
  std::vector<ListedProcess> processes;
  const Handle snapshot(CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0));
  if (!snapshot.Valid()) return processes;
  PROCESSENTRY32W entry{};
  entry.dwSize = sizeof(entry);
  for (BOOL more = Process32FirstW(snapshot.Get(), &entry); more != 0;
       more = Process32NextW(snapshot.Get(), &entry))
    processes.push_back({.pid = entry.th32ProcessID,
                         .parent_pid = entry.th32ParentProcessID,
                         .name = Narrow(entry.szExeFile)});
  return processes;
}

std::optional<ProcessFacts> ReadProcess(uint32_t pid) {
  Handle process = OpenToAsk(pid, PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_VM_READ);
  const bool all = process.Valid();
  if (!all) process = OpenToAsk(pid, PROCESS_QUERY_LIMITED_INFORMATION);
  if (!process.Valid()) return std::nullopt;
  const std::optional<uint64_t> start = StartOf(process.Get());
  if (!start.has_value()) return std::nullopt;
  ProcessFacts facts{
      .start_file_time = *start, .executable = ImageOf(process.Get()), .command_line = {}, .session_id = 0};
  facts.token = ReadToken(process.Get());
  if (all) facts.command_line = CommandLineOf(process.Get());
  DWORD session = 0;
  if (ProcessIdToSessionId(pid, &session) != 0) facts.session_id = session;
  return facts;
}

std::optional<uint64_t> ReadProcessStart(uint32_t pid) {
  const Handle process = OpenToAsk(pid, PROCESS_QUERY_LIMITED_INFORMATION);
  return process.Valid() ? StartOf(process.Get()) : std::nullopt;
}

bool ProcessHasEnded(uint32_t pid) {
  const Handle process = OpenToAsk(pid, PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE);
  if (!process.Valid()) return GetLastError() == ERROR_INVALID_PARAMETER;  // there is no such pid
  return WaitForSingleObject(process.Get(), 0) == WAIT_OBJECT_0;
}

std::string ReadProcessExecutable(uint32_t pid) {
  const Handle process = OpenToAsk(pid, PROCESS_QUERY_LIMITED_INFORMATION);
  return process.Valid() ? ImageOf(process.Get()) : std::string();
}

}  // namespace cordon::platform
