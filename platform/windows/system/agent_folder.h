#pragma once

#include <absl/status/status.h>

#include <filesystem>

namespace cordon::platform {

// %ProgramData%\Cordon.
std::filesystem::path AgentFolder();

// Makes it, or sets its rights anew: administrators and the system write there, users read. By itself Windows
// lets every user make files and folders in it, so one that somebody else has made is refused.
absl::Status MakeAgentFolder();

// Makes `path`, or sets its rights to those of `descriptor` (SDDL). FAILED_PRECONDITION for what is not to be
// trusted (security.h).
absl::Status MakeTrustedFolder(const std::filesystem::path& path, const wchar_t* descriptor);

}  // namespace cordon::platform
