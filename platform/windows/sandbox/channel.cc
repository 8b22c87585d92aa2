#include "platform/windows/sandbox/channel.h"

#include <array>
#include <span>

#include "common/base/status.h"
#include "platform/api/sandboxed_child.h"
#include "platform/windows/system/handle.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

constexpr size_t kLengthBytes = 4;
constexpr size_t kHeaderBytes = kLengthBytes + 8;

void Put(std::span<char> to, uint64_t value) {
  for (char& byte : to) {
    byte = static_cast<char>(value & 0xff);
    value >>= 8;
  }
}

uint64_t Take(std::span<const char> from) {
  uint64_t value = 0;
  for (size_t i = from.size(); i > 0; --i) value = (value << 8) | static_cast<uint8_t>(from[i - 1]);
  return value;
}

absl::Status PipeError(DWORD error, std::string_view what) {
  switch (error) {
    case ERROR_BROKEN_PIPE:
    case ERROR_NO_DATA:
    case ERROR_PIPE_NOT_CONNECTED:
    case ERROR_HANDLE_EOF:
      return absl::UnavailableError("the other side is gone");
    default:
      return WindowsError(error, what);
  }
}

// Begins a read or a write and sees it through. `begin` gets null where the pipe is not overlapped.
absl::StatusOr<DWORD> Transfer(HANDLE pipe, const PipeWait& wait, std::string_view what,
                               const std::function<BOOL(OVERLAPPED*, DWORD*)>& begin) {
  DWORD done = 0;
  if (wait == nullptr) {
    if (begin(nullptr, &done) == 0) return PipeError(GetLastError(), what);
    return done;
  }
  const Handle event(CreateEventW(nullptr, TRUE, FALSE, nullptr));
  if (!event.Valid()) return LastError("cannot make an event");
  OVERLAPPED call{};
  call.hEvent = event.Get();
  if (begin(&call, nullptr) == 0 && GetLastError() != ERROR_IO_PENDING)
    return PipeError(GetLastError(), what);
  do {
    if (const absl::Status go_on = wait(event.Get()); !go_on.ok()) {
      CancelIoEx(pipe, &call);
      GetOverlappedResult(pipe, &call, &done, TRUE);  // the buffer is the call's until then
      return go_on;
    }
  } while (WaitForSingleObject(event.Get(), 0) != WAIT_OBJECT_0);
  if (GetOverlappedResult(pipe, &call, &done, FALSE) == 0) return PipeError(GetLastError(), what);
  return done;
}

absl::Status SendAll(HANDLE pipe, std::string_view bytes, const PipeWait& wait) {
  while (!bytes.empty()) {
    CORDON_ASSIGN_OR_RETURN(
        const DWORD sent, Transfer(pipe, wait, "cannot send", [&](OVERLAPPED* call, DWORD* done) {
          return WriteFile(pipe, bytes.data(), static_cast<DWORD>(bytes.size()), done, call);
        }));
    bytes.remove_prefix(sent);
  }
  return absl::OkStatus();
}

absl::Status ReceiveAll(HANDLE pipe, std::span<char> into, const PipeWait& wait) {
  while (!into.empty()) {
    CORDON_ASSIGN_OR_RETURN(const DWORD got,
                            Transfer(pipe, wait, "cannot receive", [&](OVERLAPPED* call, DWORD* done) {
                              return ReadFile(pipe, into.data(), static_cast<DWORD>(into.size()), done, call);
                            }));
    if (got == 0) return absl::DataLossError("a piece without bytes");
    into = into.subspan(got);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SendFrame(HANDLE pipe, std::string_view bytes, uint64_t file, const PipeWait& wait) {
  if (bytes.size() > kMaxSandboxMessageBytes) return absl::InvalidArgumentError("the message is too long");
  std::array<char, kHeaderBytes> header{};
  Put(std::span(header).first(kLengthBytes), bytes.size());
  Put(std::span(header).subspan(kLengthBytes), file);
  CORDON_RETURN_IF_ERROR(SendAll(pipe, {header.data(), header.size()}, wait));
  return SendAll(pipe, bytes, wait);
}

absl::StatusOr<Frame> ReceiveFrame(HANDLE pipe, const PipeWait& wait) {
  std::array<char, kHeaderBytes> header{};
  CORDON_RETURN_IF_ERROR(ReceiveAll(pipe, header, wait));
  const uint64_t length = Take(std::span<const char>(header).first(kLengthBytes));
  if (length > kMaxSandboxMessageBytes) return absl::DataLossError("the message's length is out of bounds");
  Frame message{.bytes = std::string(length, '\0'),
                .file = Take(std::span<const char>(header).subspan(kLengthBytes))};
  CORDON_RETURN_IF_ERROR(ReceiveAll(pipe, message.bytes, wait));
  return message;
}

}  // namespace cordon::platform
