#include <CLI/CLI.hpp>
#include <filesystem>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "controller/cordonctl/commands.h"
#include "controller/cordonctl/order_flow.h"
#include "controller/cordonctl/policy_file.h"
#include "controller/cordonctl/profile_file.h"
#include "platform/api/files.h"

namespace cordon::ctl {
namespace {

constexpr int64_t kTimeoutNanos = 60 * kNanosPerSecond;

// A profile's name is taken from the folder of the policy.
absl::StatusOr<v1::Policy> LoadPolicyFile(const std::filesystem::path& path) {
  const absl::StatusOr<std::string> text = platform::ReadFileBounded(path, kMaxPolicyFileBytes);
  if (!text.ok()) return absl::InvalidArgumentError(StrCat("policy: ", Message(text.status())));
  return ParsePolicy(*text, path.string(), [&](const std::string& profile) {
    return LoadProfileFile((path.parent_path() / profile).string());
  });
}

absl::StatusOr<ExitCode> SetPolicy(Tool& tool, const OrderOptions& options, const std::string& file) {
  v1::Order order;
  CORDON_ASSIGN_OR_RETURN(*order.mutable_policy()->mutable_policy(), LoadPolicyFile(file));
  return GiveOrder(tool, options, std::move(order));
}

}  // namespace

void AddPolicy(CLI::App* app, Command* chosen) {
  CLI::App* const policy = app->add_subcommand("policy", "What hosts watch, and their tripwires");
  policy->require_subcommand(1);
  CLI::App* const set = policy->add_subcommand("set", "Replace what hosts watch");
  const auto options = std::make_shared<OrderOptions>();
  const auto file = std::make_shared<std::string>();
  options->default_timeout_nanos = kTimeoutNanos;
  AddTarget(set, &options->target);
  AddOrderFlags(set, options.get());
  set->add_option("--file", *file, "TOML file, see docs/examples/policy.toml")->required();
  set->callback([=] { *chosen = [=](Tool& tool) { return SetPolicy(tool, *options, *file); }; });
}

}  // namespace cordon::ctl
