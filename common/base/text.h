#pragma once

// Times and sizes as people write and read them.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace cordon {

// "90s", "15m", "4h", "7d" or a sum of them ("1h30m") to nanoseconds. INVALID_ARGUMENT for anything else,
// zero, or more than ten years.
absl::StatusOr<int64_t> ParseDuration(std::string_view text);

// The two largest units that matter: "3d4h", "1h30m", "12s", "250ms".
std::string FormatDuration(int64_t nanos);

// "2026-11-24T03:55:01.123Z".
std::string FormatTime(int64_t unix_nanos);

// "1.5 MiB".
std::string FormatBytes(uint64_t bytes);

// True when `text` is valid UTF-8 without control characters and no longer than `max_bytes`.
bool IsPlainText(std::string_view text, size_t max_bytes);

// True for 1 to 64 characters of [a-z0-9-]: names of sites and profiles.
bool IsName(std::string_view text);

// What a person can read of bytes from outside: control characters and invalid UTF-8 as \xNN. For logs and
// tables.
std::string Printable(std::string_view text);

// Any bytes as valid UTF-8, reversibly: for proto strings, which must be UTF-8, where paths and arguments
// need not be. A byte that is not part of valid UTF-8 becomes \xNN (lower-case hex), and so does a backslash
// that would otherwise start such a sequence; all else stays as it is.
std::string EscapeToUtf8(std::string_view bytes);

// The same of a string that the caller gives away: nearly always it comes back as it is, and nothing is
// copied.
std::string IntoUtf8(std::string bytes);

// The bytes again: UnescapeFromUtf8(EscapeToUtf8(b)) == b for all b.
std::string UnescapeFromUtf8(std::string_view text);

}  // namespace cordon
