#include "controller/cordonctl/run.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ostream>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "controller/cordonctl/commands.h"

namespace cordon::ctl {
namespace {

void AddGlobalOptions(CLI::App* app, GlobalOptions* options, std::string* output) {
  app->set_version_flag("--version", CORDON_VERSION);
  app->add_option("--identity", options->identity,
                  "Operator identity (else CORDON_IDENTITY, else ~/.config/cordon/identity)");
  app->add_option("--controller", options->controller, "HOST:PORT instead of those in the identity");
  app->add_option(
      "--passphrase-file", options->passphrase_file,
      "File with the passphrase of the identity's keys (else CORDON_PASSPHRASE_FILE, else asked for)");
  app->add_option("-o,--output", *output, "table or json (one object per line); for events also ocsf")
      ->check(CLI::IsMember({"table", "json", "ocsf"}));
}

int Status(ExitCode code) {
  return static_cast<int>(code);
}

// A full disk behind `> FILE`: a cut enrolment file or key sheet would be found out when it is needed.
ExitCode CheckPrinted(const Tool& tool, ExitCode result) {
  tool.World().out.flush();
  if (tool.World().out.good()) return result;
  const bool done = result == ExitCode::kDone;
  tool.Say(
      StrCat("standard output could not be written to its end (is the disk full?): what is there is cut, do "
             "not use it",
             done ? ". What was asked of the controller was done all the same" : ""));
  return done ? ExitCode::kFailed : result;
}

}  // namespace

int Run(std::vector<std::string> args, const Environment& environment) {
  CLI::App app("Cordon's operator tool: contains an incident without closing the clinics", "cordonctl");
  GlobalOptions options;
  std::string output = "table";
  Command chosen;
  app.fallthrough();  // the global options may stand behind a command too
  AddGlobalOptions(&app, &options, &output);
  app.require_subcommand(1);
  for (const auto add : {AddHosts, AddEnrollment, AddIsolate, AddRelease, AddPolicy, AddScan, AddOrders,
                         AddEvents, AddHealth, AddAudit, AddUnlockCode, AddOperator, AddTrust}) {
    add(&app, &chosen);
  }
  try {
    std::ranges::reverse(args);  // CLI11 takes them from the back
    app.parse(args);
  } catch (const CLI::ParseError& error) {
    return app.exit(error, environment.out, environment.err) == 0 ? Status(ExitCode::kDone)
                                                                  : Status(ExitCode::kBadUsage);
  }
  options.json = output == "json";
  options.ocsf = output == "ocsf";
  if (options.ocsf && !app.got_subcommand("events")) {
    environment.err << "-o ocsf is for events only\n";
    return Status(ExitCode::kBadUsage);
  }
  Tool tool(environment, options);
  const absl::StatusOr<ExitCode> result = chosen(tool);
  if (result.ok()) return Status(CheckPrinted(tool, *result));
  tool.Say(Message(result.status()));
  return Status(absl::IsInvalidArgument(result.status()) ? ExitCode::kBadUsage : ExitCode::kFailed);
}

}  // namespace cordon::ctl
