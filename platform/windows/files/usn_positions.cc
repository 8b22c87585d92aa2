#include "platform/windows/files/usn_positions.h"

#include <charconv>
#include <optional>

#include "common/base/strings.h"

namespace cordon::platform {
namespace {

constexpr std::string_view kHead = "cordon-usn-positions 1\n";
constexpr std::string_view kEnd = "end\n";
constexpr size_t kMostVolumes = 64;
constexpr size_t kMostNameBytes = 128;

// Up to `end`, which is taken away too; nothing when there is none.
std::optional<std::string_view> TakeUntil(char end, std::string_view* text) {
  const size_t at = text->find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view part = text->substr(0, at);
  text->remove_prefix(at + 1);
  return part;
}

template <typename Number>
bool TakeNumber(char end, std::string_view* text, Number* number) {
  const std::optional<std::string_view> part = TakeUntil(end, text);
  if (!part.has_value()) return false;
  const char* const last = part->data() + part->size();
  const auto [stopped, error] = std::from_chars(part->data(), last, *number);
  return error == std::errc() && stopped == last && *number >= 0;
}

}  // namespace

std::string FormatUsnPositions(const UsnPositions& positions) {
  std::string text(kHead);
  for (const auto& [name, position] : positions) {
    StrAppend(&text, name, "\t", position.journal, "\t", position.next_usn, "\t", position.unix_nanos, "\n");
  }
  return text.append(kEnd);
}

absl::StatusOr<UsnPositions> ParseUsnPositions(std::string_view text) {
  const absl::Status refused = absl::InvalidArgumentError("no positions of volumes' journals");
  if (text.size() > kMostUsnPositionBytes || !text.starts_with(kHead) || !text.ends_with(kEnd))
    return refused;
  text.remove_prefix(kHead.size());
  text.remove_suffix(kEnd.size());
  UsnPositions positions;
  while (!text.empty()) {
    UsnPosition position;
    const std::optional<std::string_view> name = TakeUntil('\t', &text);
    if (!name.has_value() || name->empty() || name->size() > kMostNameBytes ||
        positions.size() >= kMostVolumes || !TakeNumber('\t', &text, &position.journal) ||
        !TakeNumber('\t', &text, &position.next_usn) || !TakeNumber('\n', &text, &position.unix_nanos) ||
        !positions.emplace(*name, position).second)
      return refused;
  }
  return positions;
}

}  // namespace cordon::platform
