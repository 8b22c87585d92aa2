#include "controller/app/serve.h"

#include <spdlog/spdlog.h>

#include <future>
#include <limits>
#include <memory>

#include "common/base/hex.h"
#include "common/base/network.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "controller/app/event_ager.h"
#include "controller/app/init.h"
#include "controller/export/exporter.h"
#include "controller/pki/pki.h"
#include "controller/server/server.h"
#include "controller/store/sqlite_store.h"
#include "platform/api/system.h"

namespace cordon::controller {
namespace {

// Each target has a position of its own: another one begins at the first event.
std::filesystem::path PositionFile(const ServeOptions& options) {
  return options.data / StrCat("export-", HexEncode(Sha256(options.export_to)).substr(0, 16), ".position");
}

absl::StatusOr<std::unique_ptr<Exporter>> StartExport(const ServeOptions& options, Store& store,
                                                      const Clock& clock) {
  if (options.export_to.empty()) return nullptr;
  CORDON_ASSIGN_OR_RETURN(std::unique_ptr<ExportSink> sink,
                          MakeExportSink({.target = options.export_to, .ca_file = options.export_ca}, clock));
  spdlog::info("exporting every event to {}", sink->Name());
  return Exporter::Start(store, std::move(sink), PositionFile(options), CORDON_VERSION);
}

absl::StatusOr<int64_t> HostCertificateNanos(const ServeOptions& options) {
  const absl::StatusOr<int64_t> nanos = ParseDuration(options.host_certificates);
  if (!nanos.ok()) return Annotate(nanos.status(), "--host-certificates");
  if (*nanos < 60 * kNanosPerSecond || *nanos > 365 * kDayNanos) {
    return absl::InvalidArgumentError(
        StrCat("--host-certificates: ", options.host_certificates, " is not between 1m and 365d"));
  }
  return *nanos;
}

// A host that was away may catch up as fast as ever: bursts keep their proportion.
HostLimits LimitsOf(const ServeOptions& options) {
  HostLimits limits;
  const auto scale = [](uint32_t per_second, TokenBucket::Rate* rate) {
    if (per_second == 0) return;
    rate->burst *= per_second / rate->per_second;
    rate->per_second = per_second;
  };
  scale(options.host_bytes_per_second, &limits.bytes);
  scale(options.host_events_per_second, &limits.events);
  return limits;
}

}  // namespace

absl::Status Serve(const ServeOptions& options) {
  if (options.store != "sqlite") {
    return absl::InvalidArgumentError(
        StrCat("--store: '", options.store, "' is not known to this version; use sqlite"));
  }
  const absl::StatusOr<HostPort> listen = ParseHostPort(options.listen);
  if (!listen.ok()) return Annotate(listen.status(), "--listen");

  CORDON_ASSIGN_OR_RETURN(const int64_t host_certificate_nanos, HostCertificateNanos(options));

  // Before any other thread runs: they inherit which signals wait for this one.
  std::promise<void> asked;
  const auto stop_watch = platform::OnStopRequest([&] { asked.set_value(); });

  const std::unique_ptr<Clock> clock = platform::MakeSystemClock();
  CORDON_ASSIGN_OR_RETURN(const std::unique_ptr<Pki> pki,
                          Pki::Load(PkiFolder(options.data), *clock, host_certificate_nanos));
  CORDON_ASSIGN_OR_RETURN(const std::unique_ptr<Store> store,
                          OpenSqliteStore(StoreFile(options.data), *clock));

  ServerOptions server_options{.listen = options.listen, .host_limits = LimitsOf(options)};
  // Hosts come to the port that is listened on, at the names that the certificate carries.
  for (const std::string& name : pki->Names()) {
    server_options.controllers.push_back(ControllerAddress(name, listen->port));
  }
  CORDON_ASSIGN_OR_RETURN(const std::unique_ptr<Server> server,
                          Server::Start(server_options, *store, *pki, *clock));
  CORDON_ASSIGN_OR_RETURN(const std::unique_ptr<Exporter> exporter, StartExport(options, *store, *clock));
  std::unique_ptr<EventAger> ager;
  if (options.keep_events_days > 0) {
    ager = std::make_unique<EventAger>(*store, options.keep_events_days * kDayNanos, [&exporter] {
      return exporter != nullptr ? exporter->Position() : std::numeric_limits<int64_t>::max();
    });
  }
  spdlog::info("fleet {}: serving on {}", pki->FleetId(), options.listen);
  platform::NotifyServiceReady();
  asked.get_future().wait();
  platform::NotifyServiceStopping();
  server->Stop();
  spdlog::info("stopped");
  return absl::OkStatus();
}

}  // namespace cordon::controller
