// policy.toml, as an operator hands it to cordonctl.

#include "controller/cordonctl/policy_file.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/wire/order.h"
#include "controller/cordonctl/profile_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // The profile that it names: a small good one, or what it is called, as its content.
  const auto load_profile = [](const std::string& file_name) {
    return cordon::ctl::ParseProfile(file_name == "clinic.toml" ? "name = \"clinic\"\n" : file_name,
                                     file_name);
  };
  const auto policy = cordon::ctl::ParsePolicy(text, "fuzz.toml", load_profile);
  if (policy.ok()) {
    if (!cordon::CheckPolicy(*policy).ok() || policy->watched_paths().empty()) std::abort();
    return 0;
  }
  if (!absl::IsInvalidArgument(policy.status()) || policy.status().message().empty()) std::abort();
  return 0;
}
