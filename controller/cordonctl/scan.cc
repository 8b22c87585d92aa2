#include <CLI/CLI.hpp>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "controller/cordonctl/commands.h"
#include "controller/cordonctl/order_flow.h"

namespace cordon::ctl {
namespace {

constexpr int64_t kScanTimeoutNanos = 24LL * 3600 * kNanosPerSecond;
constexpr int64_t kCancelTimeoutNanos = 60 * kNanosPerSecond;

struct IntegrityOptions {
  OrderOptions order;
  std::vector<std::string> paths;
  bool create = false;
  bool check = false;
  bool full_speed = false;
  bool full_reread = false;
};

absl::StatusOr<ExitCode> Integrity(Tool& tool, const IntegrityOptions& options) {
  v1::Order order;
  v1::ScanSpec& spec = *order.mutable_scan()->mutable_spec();
  spec.mutable_integrity()->set_mode(options.create  ? v1::IntegrityCheck::MODE_CREATE
                                     : options.check ? v1::IntegrityCheck::MODE_CHECK
                                                     : v1::IntegrityCheck::MODE_UNSPECIFIED);
  for (const std::string& path : options.paths) spec.add_paths(path);
  spec.set_full_speed(options.full_speed);
  spec.set_full_reread(options.full_reread);
  return GiveOrder(tool, options.order, std::move(order));
}

// The cancelling order goes to the very target of the scan.
absl::StatusOr<ExitCode> Cancel(Tool& tool, const OrderOptions& options, const std::string& order_id) {
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  v1::GetOrderRequest request;
  request.set_order_id(order_id);
  CORDON_ASSIGN_OR_RETURN(const v1::GetOrderResponse found, client->Call(&Client::Stub::GetOrder, request));
  v1::Order scan;
  if (!scan.ParseFromString(found.summary().order().order()) || !scan.has_scan()) {
    return absl::FailedPreconditionError(StrCat("order ", Printable(order_id), " is no scan"));
  }
  v1::Order order;
  *order.mutable_target() = scan.target();
  order.mutable_cancel_scan()->set_scan_order_id(order_id);
  return GiveOrder(tool, options, std::move(order));
}

}  // namespace

void AddScan(CLI::App* app, Command* chosen) {
  CLI::App* const scan = app->add_subcommand("scan", "Look at what is on hosts' disks");
  scan->require_subcommand(1);
  CLI::App* const integrity = scan->add_subcommand("integrity", "Compare files with the recorded state");
  const auto options = std::make_shared<IntegrityOptions>();
  options->order.default_timeout_nanos = kScanTimeoutNanos;
  options->order.reason = "integrity scan";
  AddTarget(integrity, &options->order.target);
  AddOrderFlags(integrity, &options->order);
  integrity->get_option("--reason")->required(false);
  integrity->add_option("--path", options->paths, "Folder or file (else what the host watches)")
      ->allow_extra_args(false);
  CLI::Option* const create =
      integrity->add_flag("--create", options->create, "Make or replace the baseline");
  integrity->add_flag("--check", options->check, "Check; refused where there is no baseline")
      ->excludes(create);
  integrity->add_flag("--full-speed", options->full_speed, "Do not yield to other work");
  integrity->add_flag("--full-reread", options->full_reread, "Read every file, changed or not");
  integrity->callback([=] { *chosen = [=](Tool& tool) { return Integrity(tool, *options); }; });

  CLI::App* const cancel = scan->add_subcommand("cancel", "End a scan");
  const auto cancelling = std::make_shared<OrderOptions>();
  const auto id = std::make_shared<std::string>();
  cancelling->default_timeout_nanos = kCancelTimeoutNanos;
  cancelling->reason = "cancelled by its operator";
  cancel->add_option("ORDER_ID", *id, "Id of the scan's order")->required();
  AddOrderFlags(cancel, cancelling.get());
  cancel->get_option("--reason")->required(false);
  cancel->callback([=] { *chosen = [=](Tool& tool) { return Cancel(tool, *cancelling, *id); }; });
}

}  // namespace cordon::ctl
