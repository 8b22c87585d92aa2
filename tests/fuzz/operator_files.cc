// Files that people hand to cordonctl: profiles and exported audit logs.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/wire/profile.h"
#include "controller/cordonctl/audit_file.h"
#include "controller/cordonctl/profile_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto profile = cordon::ctl::ParseProfile(text, "fuzz.toml");
  if (profile.ok() && !cordon::CheckProfile(*profile).ok()) std::abort();
  const auto entry = cordon::ctl::ParseAuditLine(text);
  if (entry.ok() && !cordon::ctl::ParseAuditLine(cordon::ctl::FormatAuditLine(*entry)).ok()) std::abort();
  return 0;
}
