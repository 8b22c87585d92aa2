#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/base/clock.h"

namespace cordon::controller {

// Where exported lines go. One thread at a time.
class ExportSink {
 public:
  virtual ~ExportSink() = default;

  // All lines or an error; after an error some of them may have arrived, and the caller gives all of them
  // again. A line has no newline. Waits for the disk, or for a network that goes on taking something.
  virtual absl::Status Write(std::span<const std::string> lines) = 0;

  virtual const std::string& Name() const = 0;  // for people: "file:/var/log/cordon.ocsf"
};

struct ExportOptions {
  std::string target;  // "file:PATH" or "syslog-tls:HOST:PORT"
  std::string
      ca_file;  // PEM; whom a syslog server must be certified by; empty = the system's certificate store
  std::chrono::milliseconds patience{10'000};  // with a syslog server that takes nothing
};

// Neither opens nor connects yet: the first Write does, and every one after an error does again.
// INVALID_ARGUMENT: a target or a CA file that cannot be used, and why.
absl::StatusOr<std::unique_ptr<ExportSink>> MakeExportSink(const ExportOptions& options, const Clock& clock);

// RFC 5424, framed by its length as RFC 5425 asks: "LENGTH <PRI>1 TIME HOST cordon - ocsf - LINE".
std::string SyslogFrame(std::string_view line, int64_t time_unix_nanos, std::string_view host_name);

}  // namespace cordon::controller
