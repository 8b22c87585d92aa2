#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cordon::agent {

// One table of a settings file, read key by key. What is absent leaves its value alone; the first thing that
// is wrong becomes the error of ReadToml, with file and line. When the section goes, keys that nobody asked
// for are errors.
class TomlSection {
 public:
  struct Impl;
  explicit TomlSection(std::unique_ptr<Impl> impl);
  TomlSection(TomlSection&& other) noexcept;
  ~TomlSection();

  TomlSection Section(std::string_view key);
  void Text(std::string_view key, size_t max_bytes, std::string* value);
  void Texts(std::string_view key, size_t max_count, std::vector<std::string>* values);
  void AbsolutePath(std::string_view key, std::string* value);
  void AbsolutePaths(std::string_view key, size_t max_count, std::vector<std::string>* values);
  void Addresses(std::string_view key, size_t max_count, std::vector<std::string>* values);  // IPv4, IPv6
  void OneOf(std::string_view key, std::span<const std::string_view> choices, std::string* value);
  void Boolean(std::string_view key, bool* value);
  void Integer(std::string_view key, int64_t lowest, int64_t highest, int64_t* value);
  void Duration(std::string_view key, int64_t* nanos);  // "30d"

 private:
  std::unique_ptr<Impl> impl_;
};

// Parses `text` and hands its root to `read`. INVALID_ARGUMENT "file:line: …".
absl::Status ReadToml(std::string_view text, const std::string& file_name,
                      const std::function<void(TomlSection root)>& read);

// "a, b or c".
std::string JoinChoices(std::span<const std::string_view> choices);

}  // namespace cordon::agent
