#include <CLI/CLI.hpp>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "controller/cordonctl/commands.h"
#include "controller/cordonctl/indicator_files.h"
#include "controller/cordonctl/order_flow.h"

namespace cordon::ctl {
namespace {

constexpr int64_t kScanTimeoutNanos = 24LL * 3600 * kNanosPerSecond;
constexpr int64_t kSteeringTimeoutNanos = 60 * kNanosPerSecond;

struct ScanOptions {
  OrderOptions order;
  std::vector<std::string> paths;
  bool full_speed = false;
  bool create = false;
  bool check = false;
  bool full_reread = false;
  bool integrity = false;  // beside indicators
  IndicatorOptions indicators;
};

void AddIntegrity(const ScanOptions& options, v1::ScanSpec* spec) {
  spec->mutable_integrity()->set_mode(options.create  ? v1::IntegrityCheck::MODE_CREATE
                                      : options.check ? v1::IntegrityCheck::MODE_CHECK
                                                      : v1::IntegrityCheck::MODE_UNSPECIFIED);
  spec->set_full_reread(options.full_reread);
}

absl::StatusOr<ExitCode> GiveScan(Tool& tool, const ScanOptions& options, v1::ScanSpec spec) {
  for (const std::string& path : options.paths) spec.add_paths(path);
  spec.set_full_speed(options.full_speed);
  v1::Order order;
  *order.mutable_scan()->mutable_spec() = std::move(spec);
  return GiveOrder(tool, options.order, std::move(order));
}

absl::StatusOr<ExitCode> Integrity(Tool& tool, const ScanOptions& options) {
  v1::ScanSpec spec;
  AddIntegrity(options, &spec);
  return GiveScan(tool, options, std::move(spec));
}

absl::StatusOr<ExitCode> Indicators(Tool& tool, const ScanOptions& options) {
  v1::ScanSpec spec;
  std::string note;
  CORDON_ASSIGN_OR_RETURN(*spec.mutable_indicators(), ReadIndicators(options.indicators, &note));
  if (!note.empty()) tool.Say(note);
  if (options.integrity) AddIntegrity(options, &spec);
  return GiveScan(tool, options, std::move(spec));
}

enum class Steering : uint8_t { kPause, kResume, kCancel };

// The order goes to the very target of the scan.
absl::StatusOr<ExitCode> Steer(Tool& tool, const OrderOptions& options, const std::string& order_id,
                               Steering steering) {
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  CORDON_ASSIGN_OR_RETURN(const v1::GetOrderResponse found, client->GetOrder(order_id));
  v1::Order scan;
  if (!scan.ParseFromString(found.summary().order().order()) || !scan.has_scan()) {
    return absl::FailedPreconditionError(StrCat("order ", Printable(order_id), " is no scan"));
  }
  v1::Order order;
  *order.mutable_target() = scan.target();
  if (steering == Steering::kCancel) {
    order.mutable_cancel_scan()->set_scan_order_id(order_id);
  } else {
    order.mutable_pause_scan()->set_scan_order_id(order_id);
    order.mutable_pause_scan()->set_resume(steering == Steering::kResume);
  }
  return GiveOrder(tool, options, std::move(order));
}

std::shared_ptr<ScanOptions> AddScanFlags(CLI::App* command, const std::string& reason) {
  const auto options = std::make_shared<ScanOptions>();
  options->order.default_timeout_nanos = kScanTimeoutNanos;
  options->order.reason = reason;
  AddTarget(command, &options->order.target);
  AddOrderFlags(command, &options->order);
  command->get_option("--reason")->required(false);
  command->add_option("--path", options->paths, "Folder or file (else what the host watches)")
      ->allow_extra_args(false);
  command->add_flag("--full-speed", options->full_speed, "Do not yield to other work");
  command->add_flag("--full-reread", options->full_reread, "Read every file, changed or not");
  return options;
}

void AddIntegrityScan(CLI::App* scan, Command* chosen) {
  CLI::App* const command = scan->add_subcommand("integrity", "Compare files with the recorded state");
  const auto options = AddScanFlags(command, "integrity scan");
  CLI::Option* const create = command->add_flag("--create", options->create, "Make or replace the baseline");
  command->add_flag("--check", options->check, "Check; refused where there is no baseline")->excludes(create);
  command->callback([=] { *chosen = [=](Tool& tool) { return Integrity(tool, *options); }; });
}

void AddIndicatorScan(CLI::App* scan, Command* chosen) {
  CLI::App* const command =
      scan->add_subcommand("indicators", "Look for files and running programs that are known to be bad");
  const auto options = AddScanFlags(command, "indicator scan");
  IndicatorOptions& indicators = options->indicators;
  command->add_option("--sha256-file", indicators.sha256_files, "List of SHA-256 digests, as of sha256sum")
      ->allow_extra_args(false);
  command->add_option("--md5-file", indicators.md5_files, "List of MD5 digests, as of md5sum")
      ->allow_extra_args(false);
  command
      ->add_option("--path-pattern", indicators.path_patterns,
                   "Shell pattern: with a '/' for the whole path, else for the file's name")
      ->allow_extra_args(false);
  command->add_option("--yara", indicators.rule_files, "File of YARA rules")->allow_extra_args(false);
  command->add_flag("--processes", indicators.running_processes, "Also the programs that run now");
  command->add_flag("--integrity", options->integrity, "In the same walk, compare with the baseline");
  command->callback([=] { *chosen = [=](Tool& tool) { return Indicators(tool, *options); }; });
}

void AddSteering(CLI::App* scan, Command* chosen, const std::string& name, const std::string& help,
                 Steering steering) {
  CLI::App* const command = scan->add_subcommand(name, help);
  const auto options = std::make_shared<OrderOptions>();
  const auto id = std::make_shared<std::string>();
  options->default_timeout_nanos = kSteeringTimeoutNanos;
  options->reason = StrCat("scan: ", name);
  command->add_option("ORDER_ID", *id, "Id of the scan's order")->required();
  AddOrderFlags(command, options.get());
  command->get_option("--reason")->required(false);
  command->callback([=] { *chosen = [=](Tool& tool) { return Steer(tool, *options, *id, steering); }; });
}

}  // namespace

void AddScan(CLI::App* app, Command* chosen) {
  CLI::App* const scan = app->add_subcommand("scan", "Look at what is on hosts' disks");
  scan->require_subcommand(1);
  AddIntegrityScan(scan, chosen);
  AddIndicatorScan(scan, chosen);
  AddSteering(scan, chosen, "pause", "Have a scan rest, and keep its place", Steering::kPause);
  AddSteering(scan, chosen, "resume", "Have a paused scan go on", Steering::kResume);
  AddSteering(scan, chosen, "cancel", "End a scan", Steering::kCancel);
}

}  // namespace cordon::ctl
