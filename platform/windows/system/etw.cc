#include "platform/windows/system/etw.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "common/base/status.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

constexpr ULONG kBufferKilobytes = 64;
constexpr ULONG kMostBuffers = 64;
constexpr ULONG kFlushSeconds = 1;
constexpr ULONG kSystemTime = 2;  // clock of the time stamps

// EVENT_FILTER_EVENT_ID, which mingw's header lacks.
constexpr ULONG kFilterByEventId = 0x80000200;
constexpr size_t kMostEventIds = 64;
struct EventIdFilter {
  BOOLEAN let_in = TRUE;
  UCHAR reserved = 0;
  USHORT count = 0;
  USHORT ids[kMostEventIds] = {};
};
static_assert(offsetof(EventIdFilter, ids) == 4);

EVENT_TRACE_PROPERTIES* Of(std::vector<char>& properties) {
  return reinterpret_cast<EVENT_TRACE_PROPERTIES*>(properties.data());
}

// The structure, and room for the session's name behind it.
std::vector<char> MakeProperties(const std::wstring& name, bool of_the_system = false) {
  std::vector<char> bytes(sizeof(EVENT_TRACE_PROPERTIES) + (name.size() + 1) * sizeof(wchar_t));
  EVENT_TRACE_PROPERTIES* const properties = Of(bytes);
  properties->Wnode.BufferSize = static_cast<ULONG>(bytes.size());
  properties->Wnode.Flags = WNODE_FLAG_TRACED_GUID;
  properties->Wnode.ClientContext = kSystemTime;
  properties->BufferSize = kBufferKilobytes;
  properties->MaximumBuffers = kMostBuffers;
  properties->FlushTimer = kFlushSeconds;
  properties->LogFileMode = EVENT_TRACE_REAL_TIME_MODE | (of_the_system ? EVENT_TRACE_SYSTEM_LOGGER_MODE : 0);
  properties->LoggerNameOffset = sizeof(EVENT_TRACE_PROPERTIES);
  return bytes;
}

}  // namespace

void EtwSession::End(const std::wstring& name) {
  std::vector<char> properties = MakeProperties(name);
  ControlTraceW(0, name.c_str(), Of(properties), EVENT_TRACE_CONTROL_STOP);
}

absl::Status EtwSession::Open(const EtwAsk& ask, std::function<void(const EVENT_RECORD&)> event,
                              std::function<void()> buffer) {
  name_ = ask.name;
  event_ = std::move(event);
  buffer_ = std::move(buffer);
  End(name_);
  std::vector<char> properties = MakeProperties(name_, /*of_the_system=*/!ask.provider.has_value());
  Of(properties)->EnableFlags = ask.kernel_flags;
  TRACEHANDLE session = 0;
  const ULONG started = StartTraceW(&session, name_.c_str(), Of(properties));
  if (started != ERROR_SUCCESS) return WindowsError(started, "ETW: cannot start a session");
  session_ = session;
  absl::Status failed = ask.provider.has_value() ? Enable(*ask.provider) : absl::OkStatus();
  if (failed.ok()) {
    EVENT_TRACE_LOGFILEW file{};
    file.LoggerName = name_.data();
    file.ProcessTraceMode = PROCESS_TRACE_MODE_REAL_TIME | PROCESS_TRACE_MODE_EVENT_RECORD;
    file.EventRecordCallback = &EtwSession::OnEvent;
    file.BufferCallback = &EtwSession::OnBuffer;
    file.Context = this;
    reader_ = OpenTraceW(&file);
    if (reader_ != INVALID_PROCESSTRACE_HANDLE) return absl::OkStatus();
    failed = LastError("ETW: cannot open the session");
  }
  Close();
  return failed;
}

absl::Status EtwSession::Enable(const EtwProvider& provider) {
  EventIdFilter filter;
  filter.count = static_cast<USHORT>(std::min(provider.event_ids.size(), kMostEventIds));
  std::copy_n(provider.event_ids.begin(), filter.count, filter.ids);
  EVENT_FILTER_DESCRIPTOR what{};
  what.Ptr = reinterpret_cast<ULONGLONG>(&filter);
  what.Size = static_cast<ULONG>(offsetof(EventIdFilter, ids) + filter.count * sizeof(USHORT));
  what.Type = kFilterByEventId;
  ENABLE_TRACE_PARAMETERS parameters{};
  parameters.Version = ENABLE_TRACE_PARAMETERS_VERSION_2;
  parameters.EnableFilterDesc = &what;
  parameters.FilterDescCount = 1;
  const ULONG enabled = EnableTraceEx2(session_, &provider.id, EVENT_CONTROL_CODE_ENABLE_PROVIDER,
                                       TRACE_LEVEL_INFORMATION, provider.keywords, 0, 0, &parameters);
  return enabled == ERROR_SUCCESS ? absl::OkStatus() : WindowsError(enabled, "ETW: cannot ask the provider");
}

void EtwSession::Process() {
  ProcessTrace(&reader_, 1, nullptr, nullptr);
  session_ = 0;  // somebody ended it: its number may be another program's session by now
}

void EtwSession::Close() {
  if (const TRACEHANDLE session = session_.exchange(0); session != 0) {
    std::vector<char> properties = MakeProperties(name_);
    ControlTraceW(session, nullptr, Of(properties), EVENT_TRACE_CONTROL_STOP);
  }
  if (reader_ != INVALID_PROCESSTRACE_HANDLE) CloseTrace(std::exchange(reader_, INVALID_PROCESSTRACE_HANDLE));
}

void EtwSession::Flush() {
  std::vector<char> properties = MakeProperties(name_);
  ControlTraceW(session_, nullptr, Of(properties), EVENT_TRACE_CONTROL_FLUSH);
}

// Buffers that were lost whole count as one event each: how many were in them nobody knows.
std::optional<uint64_t> EtwSession::Lost() {
  std::vector<char> properties = MakeProperties(name_);
  if (ControlTraceW(session_, nullptr, Of(properties), EVENT_TRACE_CONTROL_QUERY) != ERROR_SUCCESS)
    return std::nullopt;
  return uint64_t{Of(properties)->EventsLost} + Of(properties)->RealTimeBuffersLost;
}

void WINAPI EtwSession::OnEvent(EVENT_RECORD* record) {
  static_cast<EtwSession*>(record->UserContext)->event_(*record);
}

unsigned long WINAPI EtwSession::OnBuffer(EVENT_TRACE_LOGFILEW* file) {
  static_cast<EtwSession*>(file->Context)->buffer_();
  return TRUE;  // go on
}

}  // namespace cordon::platform
