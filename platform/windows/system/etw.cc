#include "platform/windows/system/etw.h"

#include <cstring>

#include "common/base/status.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

constexpr ULONG kBufferKilobytes = 64;
constexpr ULONG kMostBuffers = 64;
constexpr ULONG kFlushSeconds = 1;
constexpr ULONG kSystemTime = 2;  // clock of the time stamps

EVENT_TRACE_PROPERTIES* Of(std::vector<char>& properties) {
  return reinterpret_cast<EVENT_TRACE_PROPERTIES*>(properties.data());
}

}  // namespace

// The structure, and room for the session's name behind it.
std::vector<char> EtwSession::MakeProperties() const {
  std::vector<char> bytes(sizeof(EVENT_TRACE_PROPERTIES) + (name_.size() + 1) * sizeof(wchar_t));
  EVENT_TRACE_PROPERTIES* const properties = Of(bytes);
  properties->Wnode.BufferSize = static_cast<ULONG>(bytes.size());
  properties->Wnode.Flags = WNODE_FLAG_TRACED_GUID;
  properties->Wnode.ClientContext = kSystemTime;
  properties->BufferSize = kBufferKilobytes;
  properties->MaximumBuffers = kMostBuffers;
  properties->FlushTimer = kFlushSeconds;
  properties->LogFileMode = EVENT_TRACE_REAL_TIME_MODE | EVENT_TRACE_SYSTEM_LOGGER_MODE;
  properties->LoggerNameOffset = sizeof(EVENT_TRACE_PROPERTIES);
  return bytes;
}

absl::Status EtwSession::Open(const std::wstring& name, unsigned long kernel_flags,
                              std::function<void(const EVENT_RECORD&)> event, std::function<void()> buffer) {
  name_ = name;
  event_ = std::move(event);
  buffer_ = std::move(buffer);
  std::vector<char> left_behind = MakeProperties();
  ControlTraceW(0, name_.c_str(), Of(left_behind), EVENT_TRACE_CONTROL_STOP);
  std::vector<char> properties = MakeProperties();
  Of(properties)->EnableFlags = kernel_flags;
  const ULONG started = StartTraceW(&session_, name_.c_str(), Of(properties));
  if (started != ERROR_SUCCESS) return WindowsError(started, "ETW: cannot start a session");
  EVENT_TRACE_LOGFILEW file{};
  file.LoggerName = name_.data();
  file.ProcessTraceMode = PROCESS_TRACE_MODE_REAL_TIME | PROCESS_TRACE_MODE_EVENT_RECORD;
  file.EventRecordCallback = &EtwSession::OnEvent;
  file.BufferCallback = &EtwSession::OnBuffer;
  file.Context = this;
  reader_ = OpenTraceW(&file);
  if (reader_ != INVALID_PROCESSTRACE_HANDLE) return absl::OkStatus();
  const absl::Status failed = LastError("ETW: cannot open the session");
  Close();
  return failed;
}

void EtwSession::Process() {
  ProcessTrace(&reader_, 1, nullptr, nullptr);
}

void EtwSession::Close() {
  if (session_ != 0) {
    std::vector<char> properties = MakeProperties();
    ControlTraceW(session_, nullptr, Of(properties), EVENT_TRACE_CONTROL_STOP);
    session_ = 0;
  }
  if (reader_ != INVALID_PROCESSTRACE_HANDLE) CloseTrace(std::exchange(reader_, INVALID_PROCESSTRACE_HANDLE));
}

void EtwSession::Flush() {
  std::vector<char> properties = MakeProperties();
  ControlTraceW(session_, nullptr, Of(properties), EVENT_TRACE_CONTROL_FLUSH);
}

// Buffers that were lost whole count as one event each: how many were in them nobody knows.
uint64_t EtwSession::Lost() {
  std::vector<char> properties = MakeProperties();
  if (ControlTraceW(session_, nullptr, Of(properties), EVENT_TRACE_CONTROL_QUERY) != ERROR_SUCCESS) return 0;
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
