#include "controller/cordonctl/policy_file.h"

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/wire/order.h"
#include "controller/cordonctl/toml_reader.h"

namespace cordon::ctl {
namespace {

constexpr int64_t kMostFiles = 1'000;
constexpr int64_t kMostVersion = INT64_MAX;

class Reader : TomlReader {
 public:
  Reader(const std::string& file_name, const LoadProfile& load_profile)
      : TomlReader(file_name), load_profile_(load_profile) {}

  absl::StatusOr<v1::Policy> Policy(const toml::table& root) const;

 private:
  absl::Status Tripwires(const toml::table& table, v1::Tripwires* tripwires) const;
  absl::Status Isolate(const toml::table& table, v1::SelfIsolation* isolate) const;

  const LoadProfile& load_profile_;
};

absl::StatusOr<v1::Policy> Reader::Policy(const toml::table& root) const {
  CORDON_RETURN_IF_ERROR(OnlyKeys(root, {"version", "watch", "exclude", "sensitive", "tripwires"}));
  v1::Policy policy;
  int64_t version = 0;
  CORDON_RETURN_IF_ERROR(Number(root, "version", kMostVersion, &version));
  policy.set_version(static_cast<uint64_t>(version));
  CORDON_RETURN_IF_ERROR(Texts(root, "watch", policy.mutable_watched_paths()));
  CORDON_RETURN_IF_ERROR(Texts(root, "exclude", policy.mutable_excluded_paths()));
  CORDON_RETURN_IF_ERROR(Texts(root, "sensitive", policy.mutable_sensitive_paths()));
  CORDON_ASSIGN_OR_RETURN(const toml::table* const tripwires, Table(root, "tripwires"));
  if (tripwires != nullptr) CORDON_RETURN_IF_ERROR(Tripwires(*tripwires, policy.mutable_tripwires()));
  if (policy.watched_paths().empty()) return At(root, "watch: missing; name the folders to watch");
  CORDON_RETURN_IF_ERROR(Annotate(CheckPolicy(policy), FileName()));
  return policy;
}

absl::Status Reader::Tripwires(const toml::table& table, v1::Tripwires* tripwires) const {
  CORDON_RETURN_IF_ERROR(OnlyKeys(table, {"enabled", "canary_folders", "files", "window", "isolate"}));
  bool enabled = true;
  int64_t files = 0;
  int64_t window = 0;
  CORDON_RETURN_IF_ERROR(Flag(table, "enabled", &enabled));
  CORDON_RETURN_IF_ERROR(Texts(table, "canary_folders", tripwires->mutable_canary_folders()));
  CORDON_RETURN_IF_ERROR(Number(table, "files", kMostFiles, &files));
  CORDON_RETURN_IF_ERROR(Duration(table, "window", &window));
  tripwires->set_off(!enabled);
  tripwires->set_files(static_cast<uint32_t>(files));
  tripwires->set_window_nanos(window);
  CORDON_ASSIGN_OR_RETURN(const toml::table* const isolate, Table(table, "isolate"));
  return isolate == nullptr ? absl::OkStatus() : Isolate(*isolate, tripwires->mutable_isolate());
}

absl::Status Reader::Isolate(const toml::table& table, v1::SelfIsolation* isolate) const {
  CORDON_RETURN_IF_ERROR(OnlyKeys(table, {"level", "profile", "for", "message"}));
  v1::Level level = v1::LEVEL_UNSPECIFIED;
  std::string profile;
  int64_t lease = 0;
  CORDON_RETURN_IF_ERROR(Choice(table, "level", v1::LEVEL_ESSENTIAL, &level));
  CORDON_RETURN_IF_ERROR(Text(table, "profile", &profile));
  CORDON_RETURN_IF_ERROR(Duration(table, "for", &lease));
  CORDON_RETURN_IF_ERROR(Text(table, "message", isolate->mutable_user_message()));
  isolate->set_level(level);
  if (!profile.empty()) {
    CORDON_ASSIGN_OR_RETURN(*isolate->mutable_profile(), load_profile_(profile));
  }
  if (lease == 0)
    return At(table, "for: missing; how long the host may stay isolated without an order, like \"4h\"");
  isolate->mutable_lease()->mutable_length()->set_seconds(lease / kNanosPerSecond);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::Policy> ParsePolicy(std::string_view text, const std::string& file_name,
                                       const LoadProfile& load_profile) {
  CORDON_ASSIGN_OR_RETURN(const toml::table root, ParseToml(text, kMaxPolicyFileBytes, file_name));
  return Reader(file_name, load_profile).Policy(root);
}

}  // namespace cordon::ctl
