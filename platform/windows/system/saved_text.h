#pragma once

// How sources write what they remember from one run of the agent to the next: a head that names the format
// and its version, fields with tabs between and line ends behind them, and `end`, by which a cut file is
// known. Pure.

#include <charconv>
#include <cstddef>
#include <optional>
#include <string_view>

namespace cordon::platform {

inline constexpr std::string_view kSavedTextEnd = "end\n";

// What stands between `head` and the end; nothing when it is no such text, or longer than `most_bytes`.
inline std::optional<std::string_view> SavedContent(std::string_view text, std::string_view head,
                                                    size_t most_bytes) {
  if (text.size() > most_bytes || !text.starts_with(head) || !text.ends_with(kSavedTextEnd))
    return std::nullopt;
  text.remove_prefix(head.size());
  text.remove_suffix(kSavedTextEnd.size());
  return text;
}

// Up to `end`, which is taken away too; nothing when there is none.
inline std::optional<std::string_view> TakeUntil(char end, std::string_view* text) {
  const size_t at = text->find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view part = text->substr(0, at);
  text->remove_prefix(at + 1);
  return part;
}

// The same, for a number that is not below zero; false when it is none.
template <typename Number>
bool TakeNumber(char end, std::string_view* text, Number* number) {
  const std::optional<std::string_view> part = TakeUntil(end, text);
  if (!part.has_value()) return false;
  const char* const last = part->data() + part->size();
  const auto [stopped, error] = std::from_chars(part->data(), last, *number);
  return error == std::errc() && stopped == last && *number >= 0;
}

}  // namespace cordon::platform
