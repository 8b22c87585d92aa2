#include "controller/cordonctl/toml_reader.h"

#include <algorithm>

namespace cordon::ctl {

absl::StatusOr<toml::table> ParseToml(std::string_view text, size_t max_bytes, const std::string& file_name) {
  if (text.size() > max_bytes) {
    return absl::InvalidArgumentError(StrCat(file_name, ": longer than ", FormatBytes(max_bytes)));
  }
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    return absl::InvalidArgumentError(StrCat(file_name, ":", error.source().begin.line, ": ",
                                             Printable(std::string_view(error.description()))));
  }
}

absl::Status TomlReader::OnlyKeys(const toml::table& table,
                                  std::initializer_list<std::string_view> known) const {
  for (const auto& [key, node] : table) {
    const std::string_view name = key.str();
    if (std::ranges::find(known, name) == known.end()) {
      std::string list;
      for (const std::string_view each : known) StrAppend(&list, list.empty() ? "" : ", ", each);
      return At(node, StrCat("'", Printable(name), "' is not known here; known are ", list));
    }
  }
  return absl::OkStatus();
}

absl::Status TomlReader::Text(const toml::table& table, std::string_view key, std::string* value) const {
  const toml::node* const node = table.get(key);
  if (node == nullptr) return absl::OkStatus();
  if (!node->is_string()) return At(*node, StrCat(key, ": must be text in quotes"));
  *value = node->as_string()->get();
  return absl::OkStatus();
}

absl::Status TomlReader::Texts(const toml::table& table, std::string_view key,
                               google::protobuf::RepeatedPtrField<std::string>* values) const {
  const toml::node* const node = table.get(key);
  if (node == nullptr) return absl::OkStatus();
  if (!node->is_array()) return At(*node, StrCat(key, ": must be a list of texts, like [\"10.2.0.7\"]"));
  for (const toml::node& item : *node->as_array()) {
    if (!item.is_string()) return At(item, StrCat(key, ": must hold texts in quotes only"));
    *values->Add() = item.as_string()->get();
  }
  return absl::OkStatus();
}

absl::Status TomlReader::Flag(const toml::table& table, std::string_view key, bool* value) const {
  const toml::node* const node = table.get(key);
  if (node == nullptr) return absl::OkStatus();
  if (!node->is_boolean()) return At(*node, StrCat(key, ": must be true or false"));
  *value = node->as_boolean()->get();
  return absl::OkStatus();
}

absl::Status TomlReader::Number(const toml::table& table, std::string_view key, int64_t most,
                                int64_t* value) const {
  const toml::node* const node = table.get(key);
  if (node == nullptr) return absl::OkStatus();
  if (!node->is_integer() || node->as_integer()->get() < 0 || node->as_integer()->get() > most) {
    return At(*node, StrCat(key, ": must be a number from 0 to ", most));
  }
  *value = node->as_integer()->get();
  return absl::OkStatus();
}

absl::Status TomlReader::Duration(const toml::table& table, std::string_view key, int64_t* nanos) const {
  std::string text;
  CORDON_RETURN_IF_ERROR(Text(table, key, &text));
  const toml::node* const node = table.get(key);
  if (node == nullptr) return absl::OkStatus();
  const absl::StatusOr<int64_t> length = ParseDuration(text);
  if (!length.ok()) return At(*node, StrCat(key, ": ", Message(length.status())));
  *nanos = *length;
  return absl::OkStatus();
}

absl::StatusOr<const toml::table*> TomlReader::Table(const toml::table& table, std::string_view key) const {
  const toml::node* const node = table.get(key);
  if (node == nullptr) return nullptr;
  if (!node->is_table()) return At(*node, StrCat(key, ": must be a table, [", key, "]"));
  return node->as_table();
}

}  // namespace cordon::ctl
