#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <memory>
#include <span>
#include <string>

#include "common/base/clock.h"
#include "common/base/network.h"
#include "controller/export/export_sink.h"

namespace cordon::controller {

// Syslog over TLS (RFC 5425). The protocol has no acknowledgements: what was on its way when a connection
// broke is given again by the caller only when the break was seen. A server's end that has arrived is seen
// before anything is written.
class SyslogSink final : public ExportSink {
 public:
  // `clock` outlives the object.
  static absl::StatusOr<std::unique_ptr<SyslogSink>> Make(const HostPort& server,
                                                          const ExportOptions& options, const Clock& clock);
  ~SyslogSink() override;
  absl::Status Write(std::span<const std::string> lines) override;
  const std::string& Name() const override { return name_; }

 private:
  class Connection;
  SyslogSink(HostPort server, std::chrono::milliseconds patience, const Clock& clock);

  HostPort server_;
  const Clock& clock_;
  std::string name_;
  std::string host_name_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace cordon::controller
