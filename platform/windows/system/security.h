#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <memory>
#include <string>

#include "platform/windows/system/handle.h"

namespace cordon::platform {

// A security descriptor from its text form, for the calls that make something.
class SecurityDescriptor {
 public:
  static absl::StatusOr<std::unique_ptr<SecurityDescriptor>> Parse(const wchar_t* text);
  SECURITY_ATTRIBUTES* Attributes() { return &attributes_; }
  PSECURITY_DESCRIPTOR Get() const { return descriptor_.Get(); }

 private:
  LocalMemory<PSECURITY_DESCRIPTOR> descriptor_;
  SECURITY_ATTRIBUTES attributes_{};
};

// The system, administrators, and whoever made it (the agent's own account where it is none of these);
// nothing is inherited from above, and everything below gets the same.
inline constexpr const wchar_t* kPrivate = L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)";
// And everybody may read.
inline constexpr const wchar_t* kEveryoneReads =
    L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)(A;OICI;FR;;;WD)";

// The SID of the service account NT SERVICE\`name`: a hash of the name, the same on every machine.
std::string ServiceSid(const std::wstring& name);

// Whether this process runs as `sid`, or as a member of it.
bool TokenHolds(const std::string& sid);

// Refuses what a link is, and what belongs to somebody whom the agent does not trust (owners.h): they may
// have put anything there. `object`: a handle with READ_CONTROL. FAILED_PRECONDITION, with what to do.
absl::Status CheckIsTrusted(HANDLE object, const std::filesystem::path& path);

}  // namespace cordon::platform
