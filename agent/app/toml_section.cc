#include "agent/app/toml_section.h"

#include <toml++/toml.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <filesystem>
#include <set>
#include <utility>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"

namespace cordon::agent {
namespace {

constexpr size_t kMaxPathBytes = 4096;

bool IsAbsolute(const std::string& path) {
  return std::filesystem::path(path).is_absolute();
}

}  // namespace

struct TomlSection::Impl {
  const toml::table* table;  // nullptr: not in the file
  std::string prefix;        // "agent."
  const std::string& file;
  absl::Status* error;
  std::set<std::string, std::less<>> asked;

  void Fail(const toml::node& at, std::string_view what) const {
    if (error->ok())
      *error = absl::InvalidArgumentError(StrCat(file, ":", at.source().begin.line, ": ", what));
  }

  const toml::node* Find(std::string_view key) {
    asked.emplace(key);
    return table == nullptr ? nullptr : table->get(key);
  }

  // The node as T, or nullptr: absent, or of another type, which is an error.
  template <typename T>
  const T* FindAs(std::string_view key, std::string_view type) {
    const toml::node* const node = Find(key);
    if (node == nullptr) return nullptr;
    if constexpr (std::is_same_v<T, toml::table>) {
      if (const T* const found = node->as_table()) return found;
    } else if constexpr (std::is_same_v<T, toml::array>) {
      if (const T* const found = node->as_array()) return found;
    } else {
      if (const auto* const found = node->as<T>()) return &found->get();
    }
    Fail(*node, StrCat(prefix, key, " must be ", type));
    return nullptr;
  }

  const std::string* FindText(std::string_view key, size_t max_bytes) {
    const std::string* const text = FindAs<std::string>(key, "text in quotes");
    if (text == nullptr || (IsPlainText(*text, max_bytes) && !text->empty())) return text;
    Fail(*Find(key), StrCat(prefix, key, " must be 1 to ", max_bytes, " bytes of plain text"));
    return nullptr;
  }
};

TomlSection::TomlSection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TomlSection::TomlSection(TomlSection&& other) noexcept = default;

TomlSection::~TomlSection() {
  if (!impl_ || impl_->table == nullptr) return;
  for (const auto& [key, node] : *impl_->table) {
    if (impl_->asked.contains(key.str())) continue;
    impl_->Fail(node, StrCat("unknown setting ", impl_->prefix, Printable(key.str())));
  }
}

TomlSection TomlSection::Section(std::string_view key) {
  const toml::table* const table = impl_->FindAs<toml::table>(key, "a section");
  return TomlSection(
      std::make_unique<Impl>(Impl{table, StrCat(impl_->prefix, key, "."), impl_->file, impl_->error, {}}));
}

void TomlSection::Text(std::string_view key, size_t max_bytes, std::string* value) {
  if (const std::string* const text = impl_->FindText(key, max_bytes)) *value = *text;
}

void TomlSection::Texts(std::string_view key, size_t max_count, std::vector<std::string>* values) {
  const toml::array* const array = impl_->FindAs<toml::array>(key, "a list of texts");
  if (array == nullptr) return;
  if (array->size() > max_count) {
    impl_->Fail(*array, StrCat(impl_->prefix, key, " has more than ", max_count, " entries"));
  }
  values->clear();
  for (const toml::node& node : *array) {
    const auto* const text = node.as_string();
    if (text == nullptr || text->get().empty() || !IsPlainText(text->get(), kMaxPathBytes)) {
      impl_->Fail(node, StrCat(impl_->prefix, key, " must be a list of texts in quotes"));
      return;
    }
    values->push_back(text->get());
  }
}

void TomlSection::AbsolutePath(std::string_view key, std::string* value) {
  const std::string* const text = impl_->FindText(key, kMaxPathBytes);
  if (text == nullptr) return;
  if (!IsAbsolute(*text))
    impl_->Fail(*impl_->Find(key), StrCat(impl_->prefix, key, " must be an absolute path"));
  *value = *text;
}

void TomlSection::AbsolutePaths(std::string_view key, size_t max_count, std::vector<std::string>* values) {
  Texts(key, max_count, values);
  const toml::node* const node = impl_->Find(key);
  if (node == nullptr) return;
  if (!std::ranges::all_of(*values, IsAbsolute)) {
    impl_->Fail(*node, StrCat(impl_->prefix, key, " must be absolute paths"));
  }
}

void TomlSection::Addresses(std::string_view key, size_t max_count, std::vector<std::string>* values) {
  Texts(key, max_count, values);
  const toml::node* const node = impl_->Find(key);
  if (node == nullptr) return;
  const auto is_address = [](const std::string& text) {
    boost::system::error_code error;
    boost::asio::ip::make_address(text, error);
    return !error;
  };
  if (!std::ranges::all_of(*values, is_address)) {
    impl_->Fail(*node, StrCat(impl_->prefix, key, " must be addresses"));
  }
}

void TomlSection::OneOf(std::string_view key, std::span<const std::string_view> choices, std::string* value) {
  const std::string* const text = impl_->FindText(key, kMaxPathBytes);
  if (text == nullptr) return;
  if (std::ranges::find(choices, *text) == choices.end()) {
    impl_->Fail(*impl_->Find(key), StrCat(impl_->prefix, key, " must be ", JoinChoices(choices)));
  }
  *value = *text;
}

void TomlSection::Boolean(std::string_view key, bool* value) {
  if (const bool* const given = impl_->FindAs<bool>(key, "true or false")) *value = *given;
}

void TomlSection::Integer(std::string_view key, int64_t lowest, int64_t highest, int64_t* value) {
  const int64_t* const number = impl_->FindAs<int64_t>(key, "a whole number");
  if (number == nullptr) return;
  if (*number < lowest || *number > highest) {
    impl_->Fail(*impl_->Find(key), StrCat(impl_->prefix, key, " must be ", lowest, " to ", highest));
    return;
  }
  *value = *number;
}

void TomlSection::Duration(std::string_view key, int64_t* nanos) {
  const std::string* const text = impl_->FindText(key, kMaxPathBytes);
  if (text == nullptr) return;
  const absl::StatusOr<int64_t> parsed = ParseDuration(*text);
  if (!parsed.ok()) {
    impl_->Fail(*impl_->Find(key), StrCat(impl_->prefix, key, ": ", Message(parsed.status())));
    return;
  }
  *nanos = *parsed;
}

absl::Status ReadToml(std::string_view text, const std::string& file_name,
                      const std::function<void(TomlSection root)>& read) {
  toml::table table;
  try {
    table = toml::parse(text, file_name);
  } catch (const toml::parse_error& error) {
    return absl::InvalidArgumentError(
        StrCat(file_name, ":", error.source().begin.line, ": ", Printable(error.description())));
  }
  absl::Status error;
  read(
      TomlSection(std::make_unique<TomlSection::Impl>(TomlSection::Impl{&table, "", file_name, &error, {}})));
  return error;
}

std::string JoinChoices(std::span<const std::string_view> choices) {
  std::string text;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (i > 0) text += i + 1 == choices.size() ? " or " : ", ";
    text += choices[i];
  }
  return text;
}

}  // namespace cordon::agent
