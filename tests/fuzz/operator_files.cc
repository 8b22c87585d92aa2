// Files that people hand to cordonctl: profiles, exported audit logs, requests and welcomes of operators.

#include "controller/cordonctl/operator_files.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/wire/operator_identity.h"
#include "common/wire/profile.h"
#include "controller/cordonctl/audit_file.h"
#include "controller/cordonctl/profile_file.h"
#include "controller/cordonctl/trust_draft.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto profile = cordon::ctl::ParseProfile(text, "fuzz.toml");
  if (profile.ok() && !cordon::CheckProfile(*profile).ok()) std::abort();
  const auto entry = cordon::ctl::ParseAuditLine(text);
  if (entry.ok() && !cordon::ctl::ParseAuditLine(cordon::ctl::FormatAuditLine(*entry)).ok()) std::abort();
  const auto request = cordon::ctl::ReadRequest(text);
  if (request.ok() && !cordon::ctl::ReadRequest(cordon::ctl::WriteRequest(*request)).ok()) std::abort();
  const auto welcome = cordon::ctl::ReadWelcome(text);
  const auto pending = cordon::ctl::ReadPending(text);
  if (welcome.ok() && pending.ok()) {
    const auto identity = cordon::ctl::Join(*pending, *welcome);
    if (identity.ok() && !cordon::ReadOperatorIdentity(cordon::WriteOperatorIdentity(*identity)).ok())
      std::abort();
  }
  static_cast<void>(cordon::ctl::ParseThresholds({std::string(text)}));
  return 0;
}
