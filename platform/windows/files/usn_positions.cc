#include "platform/windows/files/usn_positions.h"

#include <optional>

#include "common/base/strings.h"
#include "platform/windows/system/saved_text.h"

namespace cordon::platform {
namespace {

constexpr std::string_view kHead = "cordon-usn-positions 1\n";
constexpr size_t kMostVolumes = 64;
constexpr size_t kMostNameBytes = 128;

}  // namespace

std::string FormatUsnPositions(const UsnPositions& positions) {
  std::string text(kHead);
  for (const auto& [name, position] : positions) {
    StrAppend(&text, name, "\t", position.journal, "\t", position.next_usn, "\t", position.unix_nanos, "\n");
  }
  return text.append(kSavedTextEnd);
}

absl::StatusOr<UsnPositions> ParseUsnPositions(std::string_view text) {
  const absl::Status refused = absl::InvalidArgumentError("no positions of volumes' journals");
  std::optional<std::string_view> rest = SavedContent(text, kHead, kMostUsnPositionBytes);
  if (!rest.has_value()) return refused;
  UsnPositions positions;
  while (!rest->empty()) {
    UsnPosition position;
    const std::optional<std::string_view> name = TakeUntil('\t', &*rest);
    if (!name.has_value() || name->empty() || name->size() > kMostNameBytes ||
        positions.size() >= kMostVolumes || !TakeNumber('\t', &*rest, &position.journal) ||
        !TakeNumber('\t', &*rest, &position.next_usn) || !TakeNumber('\n', &*rest, &position.unix_nanos) ||
        !positions.emplace(*name, position).second)
      return refused;
  }
  return positions;
}

}  // namespace cordon::platform
