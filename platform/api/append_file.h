#pragma once

#include <absl/status/status.h>

#include <filesystem>
#include <string_view>

namespace cordon::platform {

// Appends whole lines to a file, which is made when it is not there. OK: they survive a power cut. After an
// error the file is as long as it was, where the disk lets it be cut. A last line that a crash left without
// its end gets one, so that what is appended stands by itself. Nobody else may append at the same time.
// What is no regular file (a terminal, a pipe) is written to, and nothing more.
absl::Status AppendLinesDurably(const std::filesystem::path& path, std::string_view lines);

}  // namespace cordon::platform
