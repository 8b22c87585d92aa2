#pragma once

// A child process of this very program for work on hostile content: it answers messages and can do nothing
// else. It opens nothing (files are handed to it, open), has no network, no rights, no other files of its
// parent, and bounded memory. It may crash or hang; the parent only notices that no answer comes.

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/api/file_tree.h"

namespace cordon::platform {

inline constexpr size_t kMaxSandboxMessageBytes = 5 * 1024 * 1024;

// --- the parent's side ---

struct SandboxCommand {
  std::filesystem::path program;  // empty: the one that runs now
  std::vector<std::string> arguments;
};

// One thread at a time. Destroying it ends the child.
class SandboxedChild {
 public:
  virtual ~SandboxedChild() = default;

  // Gives it a message and, unless null, an open file. UNAVAILABLE, with how it ended, when it has.
  virtual absl::Status Send(std::string_view message, const OpenFile* file) = 0;

  // Its next message. `keep_going` is asked ten times a second; when it says no: CANCELLED. DEADLINE_EXCEEDED
  // when none came in time (one that is there is given, however long `keep_going` took), UNAVAILABLE, with
  // how it ended ("ended by signal 11"), when it has, DATA_LOSS when what comes is no message. After any
  // error it is of no more use.
  virtual absl::StatusOr<std::string> Receive(std::chrono::milliseconds timeout,
                                              const std::function<bool()>& keep_going) = 0;

  virtual uint32_t Pid() const = 0;
};

absl::StatusOr<std::unique_ptr<SandboxedChild>> StartSandboxedChild(const SandboxCommand& command);

// --- the child's side ---

struct SandboxLimits {
  uint64_t memory_bytes = 0;  // address space; on Windows what it may write to. The file included
  uint64_t file_bytes = 0;    // a longer one is not looked at: its request has no content
};

struct SandboxRequest {
  std::string message;
  // Of the file that came with it; valid until the next Receive. Nothing: none came, or it is too long or
  // cannot be mapped. Reading what was cut off meanwhile ends the process, unless the reader takes care.
  std::optional<std::string_view> content;
};

class SandboxChannel {
 public:
  virtual ~SandboxChannel() = default;
  // Waits. Nothing when the parent has ended or wants no more.
  virtual std::optional<SandboxRequest> Receive() = 0;
  virtual absl::Status Send(std::string_view message) = 0;
};

// First thing in the child, before it has threads: gives up all that it has and takes the limits on itself,
// for good. After an error the process must end.
absl::StatusOr<std::unique_ptr<SandboxChannel>> EnterSandbox(const SandboxLimits& limits);

}  // namespace cordon::platform
