#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/base/status.h"
#include "common/rpc/tls.h"
#include "controller/app/ca.h"
#include "controller/app/init.h"
#include "controller/app/serve.h"
#include "controller/keys/passphrase.h"
#include "platform/api/system.h"
#include "platform/api/terminal.h"

namespace {

using namespace cordon;  // NOLINT: main speaks of nothing else

constexpr int kFailed = 1;
constexpr int kBadUsage = 2;

int Fail(const absl::Status& why) {
  fmt::print(stderr, "cordon-controller: {}\n", Message(why));
  return absl::IsInvalidArgument(why) ? kBadUsage : kFailed;
}

int InitCommand(controller::InitOptions options, const controller::PassphraseSource& source) {
  absl::StatusOr<std::string> passphrase = controller::ChoosePassphrase(source);
  if (!passphrase.ok()) return Fail(passphrase.status());
  options.passphrase = *std::move(passphrase);
  if (options.operator_out.empty()) options.operator_out = StrCat(options.operator_name, ".operator");
  const absl::StatusOr<controller::InitResult> made =
      controller::InitFleet(options, *platform::MakeSystemClock());
  if (!made.ok()) return Fail(made.status());
  fmt::print("Made fleet {} in {}\n", made->fleet_id, options.data.string());
  fmt::print("Made the identity of operator '{}' in {}\n", options.operator_name,
             options.operator_out.string());
  fmt::print(
      "  It holds the key that signs orders{}. Move it to the operator's machine, as\n"
      "  ~/.config/cordon/identity; the controller does not need it and must not keep it.\n",
      options.passphrase.empty() ? ", NOT sealed with a passphrase" : "");
  fmt::print("Next: cordon-controller serve --data {} --listen 0.0.0.0:{}\n", options.data.string(),
             options.port);
  return 0;
}

using DataCommand = absl::StatusOr<std::string> (*)(const std::filesystem::path&, const Clock&);

int RunOnData(DataCommand command, const std::filesystem::path& data) {
  const absl::StatusOr<std::string> done = command(data, *platform::MakeSystemClock());
  if (!done.ok()) return Fail(done.status());
  fmt::print("{}", *done);
  return 0;
}

int ServeCommand(const controller::ServeOptions& options) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("cordon-controller"));
  spdlog::set_pattern(std::getenv("JOURNAL_STREAM") != nullptr ? "%l: %v" : "%Y-%m-%dT%H:%M:%S.%eZ %l: %v",
                      spdlog::pattern_time_type::utc);
  if (const absl::Status tls = RequireTls13(); !tls.ok()) return Fail(tls);
  const absl::Status served = controller::Serve(options);
  return served.ok() ? 0 : Fail(served);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Cordon's controller: relays signed orders, keeps the evidence", "cordon-controller");
  app.set_version_flag("--version", CORDON_VERSION);
  app.require_subcommand(1);

  controller::InitOptions init_options;
  init_options.operator_name = "admin";
  CLI::App* const init = app.add_subcommand("init", "Make a fleet: CA, store, the first operator's identity");
  init->add_option("--data", init_options.data, "Folder to make")->required()->envname("CORDON_DATA");
  init->add_option("--name", init_options.names, "DNS name or IP address that hosts reach the controller by")
      ->required()
      ->allow_extra_args(false);
  init->add_option("--port", init_options.port, "Port that hosts reach it on (default 8443)");
  init->add_option("--operator", init_options.operator_name, "Name of the first operator (default admin)");
  init->add_option("--operator-out", init_options.operator_out,
                   "The operator's identity file (default NAME.operator)");
  controller::PassphraseSource passphrase{.ask = platform::AskSecret};
  init->add_option("--passphrase-file", passphrase.file,
                   "File with the passphrase that seals the operator's keys")
      ->envname("CORDON_PASSPHRASE_FILE");
  init->add_flag("--no-passphrase", passphrase.none, "Do not seal the operator's keys");

  controller::ServeOptions serve_options;
  CLI::App* const serve = app.add_subcommand("serve", "Serve agents and operators until told to stop");
  serve->set_config("--config", "", "TOML file with settings named as these flags");
  serve->add_option("--data", serve_options.data, "Folder made by init")->required()->envname("CORDON_DATA");
  serve->add_option("--listen", serve_options.listen, "ADDRESS:PORT (default 0.0.0.0:8443)")
      ->envname("CORDON_LISTEN");
  serve->add_option("--store", serve_options.store, "sqlite (default)")->envname("CORDON_STORE");
  serve
      ->add_option("--export", serve_options.export_to,
                   "Every event as a line of OCSF: file:PATH or syslog-tls:HOST:PORT")
      ->envname("CORDON_EXPORT");
  serve
      ->add_option("--export-ca", serve_options.export_ca,
                   "PEM file of who certifies the syslog server (default: the system's)")
      ->envname("CORDON_EXPORT_CA");
  serve
      ->add_option("--host-certificates", serve_options.host_certificates,
                   "How long hosts' certificates are good; they are renewed at half of it (default 30d)")
      ->envname("CORDON_HOST_CERTIFICATES");
  serve
      ->add_option(
          "--keep-events", serve_options.keep_events_days,
          "Days that events are kept; batches' headers, orders and the audit log stay (default 0: for ever)")
      ->check(CLI::Range(0U, 36'500U))
      ->envname("CORDON_KEEP_EVENTS");
  serve->add_option("--host-bytes", serve_options.host_bytes_per_second,
                    "What one host may send: bytes per second (default 8 MiB); more is held back");
  serve->add_option("--host-events", serve_options.host_events_per_second,
                    "What one host may send: events per second (default 20000); more is held back");
  serve->add_option("--host-openings", serve_options.host_openings_per_hour,
                    "How many streams one host may open per hour (default 3600); more are refused");
  serve->add_option("--host-renewals", serve_options.host_renewals_per_hour,
                    "How often one host may renew its certificate per hour (default 360)");
  serve->add_option("--host-chains", serve_options.host_chains_per_hour,
                    "How often one host may begin its chain of batches anew per hour (default 20)");

  std::filesystem::path data;
  DataCommand on_data = nullptr;
  CLI::App* const ca =
      app.add_subcommand("ca", "Another certificate authority, step by step; stop the controller first");
  ca->require_subcommand(1);
  const auto add = [&](CLI::App* above, const char* name, const char* help, DataCommand command) {
    CLI::App* const one = above->add_subcommand(name, help);
    one->add_option("--data", data, "Folder made by init")->required()->envname("CORDON_DATA");
    one->callback([&on_data, command] { on_data = command; });
  };
  add(ca, "show", "What there is, and what the trust bundle names", controller::ShowAuthorities);
  add(ca, "prepare", "Make the next one", controller::PrepareCa);
  add(ca, "use", "Issue by the next one, and believe the old one still", controller::UseCa);
  add(ca, "retire", "Believe the old one no more", controller::RetireCa);
  add(&app, "log-key",
      "Another key for the audit log, after the store was set back to a copy; stop the controller first",
      controller::NewLogKey);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUsage;
  }
  if (on_data != nullptr) return RunOnData(on_data, data);
  return init->parsed() ? InitCommand(init_options, passphrase) : ServeCommand(serve_options);
}
