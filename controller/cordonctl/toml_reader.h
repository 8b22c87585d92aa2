#pragma once

#include <absl/status/statusor.h>
#include <google/protobuf/repeated_ptr_field.h>
#include <toml++/toml.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/wire/json.h"

namespace cordon::ctl {

// INVALID_ARGUMENT "file:line: …" for what is longer than `max_bytes` or no TOML.
absl::StatusOr<toml::table> ParseToml(std::string_view text, size_t max_bytes, const std::string& file_name);

// Reads the values of one TOML file that an operator wrote. A key that is missing leaves the value as it is.
// Errors are INVALID_ARGUMENT and carry the file's name and the line.
class TomlReader {
 public:
  explicit TomlReader(std::string file_name) : file_name_(std::move(file_name)) {}

  const std::string& FileName() const { return file_name_; }

  absl::Status At(const toml::node& node, std::string_view what) const {
    return absl::InvalidArgumentError(StrCat(file_name_, ":", node.source().begin.line, ": ", what));
  }
  absl::Status OnlyKeys(const toml::table& table, std::initializer_list<std::string_view> known) const;
  absl::Status Text(const toml::table& table, std::string_view key, std::string* value) const;
  absl::Status Texts(const toml::table& table, std::string_view key,
                     google::protobuf::RepeatedPtrField<std::string>* values) const;
  absl::Status Flag(const toml::table& table, std::string_view key, bool* value) const;
  // From 0 to `most`.
  absl::Status Number(const toml::table& table, std::string_view key, int64_t most, int64_t* value) const;
  // As ParseDuration: "10s", "4h".
  absl::Status Duration(const toml::table& table, std::string_view key, int64_t* nanos) const;
  // The table under `key`; nullptr when there is none.
  absl::StatusOr<const toml::table*> Table(const toml::table& table, std::string_view key) const;
  // Required: one of the words of the enumeration up to `last`.
  template <typename Enum>
  absl::Status Choice(const toml::table& table, std::string_view key, Enum last, Enum* value) const;

 private:
  const std::string file_name_;
};

template <typename Enum>
absl::Status TomlReader::Choice(const toml::table& table, std::string_view key, Enum last,
                                Enum* value) const {
  std::string text;
  CORDON_RETURN_IF_ERROR(Text(table, key, &text));
  std::string choices;
  for (int i = 1; i <= static_cast<int>(last); ++i) {
    const auto candidate = static_cast<Enum>(i);
    const std::string word = WordOf(candidate);
    if (text == word) {
      *value = candidate;
      return absl::OkStatus();
    }
    StrAppend(&choices, i == 1 ? "" : i == static_cast<int>(last) ? " or " : ", ", word);
  }
  const toml::node* const node = table.get(key);
  if (node == nullptr) return At(table, StrCat(key, ": missing; give ", choices));
  return At(*node, StrCat(key, ": '", Printable(text.substr(0, 80)), "' is not ", choices));
}

}  // namespace cordon::ctl
