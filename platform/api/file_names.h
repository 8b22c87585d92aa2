#pragma once

// Names of files as bytes, for keys, patterns and events.

#include <filesystem>
#include <string>
#include <string_view>

namespace cordon::platform {

// The path's bytes, with slashes. On Windows UTF-8; a name there can hold half of a surrogate pair, which
// becomes three bytes that are no UTF-8. std::filesystem::path's own conversions throw at those, so that
// whoever can name a file could end the agent: for names that others have chosen these two are used.
std::string NameBytes(const std::filesystem::path& path);

// And back. Bytes that no name can have become U+FFFD on Windows.
std::filesystem::path PathOfBytes(std::string_view bytes);

}  // namespace cordon::platform
