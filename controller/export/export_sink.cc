#include "controller/export/export_sink.h"

#include "common/base/network.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/wire/profile.h"
#include "controller/export/file_sink.h"
#include "controller/export/syslog_sink.h"

namespace cordon::controller {
namespace {

constexpr std::string_view kFile = "file:";
constexpr std::string_view kSyslog = "syslog-tls:";

absl::Status Bad(std::string_view why) {
  return absl::InvalidArgumentError(StrCat("--export: ", why));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ExportSink>> MakeExportSink(const ExportOptions& options, const Clock& clock) {
  const std::string_view target = options.target;
  if (target.starts_with(kFile)) {
    const std::string path(target.substr(kFile.size()));
    if (!IsAbsolutePath(path)) return Bad(StrCat("'", Printable(path), "' is not an absolute path"));
    return std::make_unique<FileSink>(path);
  }
  if (target.starts_with(kSyslog)) {
    const absl::StatusOr<HostPort> server = ParseHostPort(target.substr(kSyslog.size()));
    if (!server.ok()) return Annotate(server.status(), "--export");
    CORDON_ASSIGN_OR_RETURN(std::unique_ptr<SyslogSink> sink, SyslogSink::Make(*server, options, clock));
    return sink;
  }
  return Bad(StrCat("'", Printable(target), "' is neither file:PATH nor syslog-tls:HOST:PORT"));
}

}  // namespace cordon::controller
