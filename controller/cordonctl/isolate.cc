#include <CLI/CLI.hpp>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/wire/json.h"
#include "controller/cordonctl/commands.h"
#include "controller/cordonctl/order_flow.h"
#include "controller/cordonctl/profile_file.h"

namespace cordon::ctl {
namespace {

constexpr int64_t kTimeoutNanos = 60 * kNanosPerSecond;

struct IsolateOptions {
  OrderOptions order;
  std::string level;
  std::string profile;
  std::string lease;
  std::string then;
  std::string fallback;
  std::string message;
};

absl::StatusOr<ExitCode> Isolate(Tool& tool, const IsolateOptions& options) {
  v1::Order order;
  v1::IsolateAction& action = *order.mutable_isolate();
  action.set_level(FromWord<v1::Level>(options.level));
  action.set_fallback(FromWord<v1::Fallback>(options.fallback));
  action.set_user_message(options.message);
  if (!options.profile.empty()) {
    CORDON_ASSIGN_OR_RETURN(*action.mutable_profile(), LoadProfileFile(options.profile));
  }
  if (!options.lease.empty()) {
    const absl::StatusOr<int64_t> length = ParseDuration(options.lease);
    if (!length.ok()) return Annotate(length.status(), "--for");
    action.mutable_lease()->mutable_length()->set_seconds(*length / kNanosPerSecond);
    if (!options.then.empty()) action.mutable_lease()->set_then(FromWord<v1::Level>(options.then));
  }
  return GiveOrder(tool, options.order, std::move(order));
}

absl::StatusOr<ExitCode> Release(Tool& tool, const OrderOptions& options, const std::string& message) {
  v1::Order order;
  order.mutable_release()->set_user_message(message);
  return GiveOrder(tool, options, std::move(order));
}

}  // namespace

void AddIsolate(CLI::App* app, Command* chosen) {
  CLI::App* const isolate = app->add_subcommand("isolate", "Close hosts to a level");
  const auto options = std::make_shared<IsolateOptions>();
  options->order.default_timeout_nanos = kTimeoutNanos;
  AddTarget(isolate, &options->order.target);
  AddOrderFlags(isolate, &options->order);
  isolate->add_option("--level", options->level, "How far")
      ->required()
      ->check(CLI::IsMember({"no-lateral", "essential", "controller-only", "dark"}));
  isolate->add_option("--profile", options->profile,
                      "TOML file of what stays open (no-lateral and essential)");
  CLI::Option* const lease = isolate->add_option("--for", options->lease,
                                                 "Length of the lease: opens again by itself after, like 4h");
  isolate
      ->add_option("--then", options->then,
                   "The level that follows the lease, below --level (default observe)")
      ->check(CLI::IsMember({"observe", "no-lateral", "essential", "controller-only"}))
      ->needs(lease);
  isolate
      ->add_option("--fallback", options->fallback,
                   "When a host cannot prove its way to the controller open: hold (stay closed) or step-down")
      ->required()
      ->check(CLI::IsMember({"hold", "step-down"}));
  isolate->add_option("--message", options->message, "Shown to the people at the workstation");
  isolate->callback([=] { *chosen = [=](Tool& tool) { return Isolate(tool, *options); }; });
}

void AddRelease(CLI::App* app, Command* chosen) {
  CLI::App* const release = app->add_subcommand("release", "Open hosts again");
  const auto options = std::make_shared<OrderOptions>();
  const auto message = std::make_shared<std::string>();
  options->default_timeout_nanos = kTimeoutNanos;
  AddTarget(release, &options->target);
  AddOrderFlags(release, options.get());
  release->add_option("--message", *message, "Shown to the people at the workstation");
  release->callback([=] { *chosen = [=](Tool& tool) { return Release(tool, *options, *message); }; });
}

}  // namespace cordon::ctl
