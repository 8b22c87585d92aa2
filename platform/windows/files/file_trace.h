#pragma once

#include <absl/status/status.h>

#include <memory>
#include <optional>
#include <string>

#include "platform/windows/files/file_deeds.h"

namespace cordon::platform {

// The kernel's trace of who does what to files. Thread-safe after Start.
class FileTrace {
 public:
  virtual ~FileTrace() = default;

  virtual absl::Status Start(const FileWatch& watch) = 0;
  virtual void Stop() = 0;
  // What was done until now is known soon: within a fraction of a second.
  virtual void Hurry() = 0;
  // As FileDeeds.
  virtual std::optional<FileDoer> Find(const RawFileEvent& event) const = 0;
  // Nothing is known while it is not.
  virtual bool Follows() const = 0;
};

// Microsoft-Windows-Kernel-File in a session of its own. Needs administrators' rights; UNAVAILABLE where the
// system opens no trace (wine).
std::unique_ptr<FileTrace> MakeEtwFileTrace();

}  // namespace cordon::platform
