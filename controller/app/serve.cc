#include "controller/app/serve.h"

#include <spdlog/spdlog.h>

#include <algorithm>
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

constexpr int64_t kHourNanos = 3600 * kNanosPerSecond;

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

struct Budget {
  const char* flag;
  std::optional<uint32_t> asked;
  uint32_t least;  // with which a good agent still does its work
  uint32_t most;
  double seconds;  // that `asked` is for
  TokenBucket::Rate* rate;
};

absl::Status Apply(const Budget& budget) {
  if (!budget.asked) return absl::OkStatus();
  if (*budget.asked < budget.least || *budget.asked > budget.most) {
    return absl::InvalidArgumentError(
        StrCat(budget.flag, ": ", *budget.asked, " is not between ", budget.least, " and ", budget.most));
  }
  const double per_second = *budget.asked / budget.seconds;
  // A host that was away may catch up as fast as ever: bursts keep their proportion.
  budget.rate->burst = std::max(1.0, budget.rate->burst * per_second / budget.rate->per_second);
  budget.rate->per_second = per_second;
  return absl::OkStatus();
}

// Certificates that are good for minutes are renewed often: a good host must not be refused.
absl::Status CheckRenewals(const ServeOptions& options) {
  if (!options.host_renewals_per_hour) return absl::OkStatus();
  CORDON_ASSIGN_OR_RETURN(const int64_t certificate_nanos, HostCertificateNanos(options));
  const int64_t needed = 2 * kHourNanos / certificate_nanos;
  if (*options.host_renewals_per_hour >= needed) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat("--host-renewals: ", *options.host_renewals_per_hour, " is less than the ", needed,
             " an hour that hosts need with --host-certificates ", options.host_certificates));
}

}  // namespace

absl::StatusOr<HostLimits> HostLimitsOf(const ServeOptions& options) {
  constexpr double kSecond = 1;
  constexpr double kHour = 3'600;
  constexpr uint32_t kMost = 1'000'000;
  HostLimits limits;
  for (const Budget& budget : {
           Budget{"--host-bytes", options.host_bytes_per_second, 64U << 10U, 1U << 30U, kSecond,
                  &limits.bytes},
           Budget{"--host-events", options.host_events_per_second, 100, 10 * kMost, kSecond, &limits.events},
           Budget{"--host-openings", options.host_openings_per_hour, 60, kMost, kHour, &limits.openings},
           Budget{"--host-renewals", options.host_renewals_per_hour, 6, kMost, kHour, &limits.renewals},
           Budget{"--host-chains", options.host_chains_per_hour, 1, kMost, kHour, &limits.chains},
       }) {
    CORDON_RETURN_IF_ERROR(Apply(budget));
  }
  CORDON_RETURN_IF_ERROR(CheckRenewals(options));
  return limits;
}

absl::Status Serve(const ServeOptions& options) {
  if (options.store != "sqlite") {
    return absl::InvalidArgumentError(
        StrCat("--store: '", options.store, "' is not known to this version; use sqlite"));
  }
  const absl::StatusOr<HostPort> listen = ParseHostPort(options.listen);
  if (!listen.ok()) return Annotate(listen.status(), "--listen");

  CORDON_ASSIGN_OR_RETURN(const int64_t host_certificate_nanos, HostCertificateNanos(options));
  CORDON_ASSIGN_OR_RETURN(const HostLimits host_limits, HostLimitsOf(options));

  platform::KeepMemorySmall();  // an idle host costs little, and what a storm of them needed is given back

  // Before any other thread runs: they inherit which signals wait for this one.
  std::promise<void> asked;
  const auto stop_watch = platform::OnStopRequest([&] { asked.set_value(); });

  const std::unique_ptr<Clock> clock = platform::MakeSystemClock();
  CORDON_ASSIGN_OR_RETURN(const std::unique_ptr<Pki> pki,
                          Pki::Load(PkiFolder(options.data), *clock, host_certificate_nanos));
  CORDON_ASSIGN_OR_RETURN(const std::unique_ptr<Store> store,
                          OpenSqliteStore(StoreFile(options.data), *clock));

  ServerOptions server_options{.listen = options.listen, .host_limits = host_limits};
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
