#include "platform/windows/registry/registry_memory.h"

#include <charconv>
#include <optional>

#include "common/base/hex.h"
#include "common/base/status.h"

namespace cordon::platform {
namespace {

constexpr std::string_view kHead = "cordon-registry 1\n";
constexpr std::string_view kEnd = "end\n";
constexpr std::string_view kNone = "-";
constexpr size_t kDigestBytes = 32;

// The part before `end`, which goes too; nothing when there is none.
std::optional<std::string_view> TakeUntil(char end, std::string_view* text) {
  const size_t at = text->find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view part = text->substr(0, at);
  text->remove_prefix(at + 1);
  return part;
}

std::optional<uint64_t> Number(std::string_view text) {
  uint64_t number = 0;
  const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || stopped != text.data() + text.size()) return std::nullopt;
  return number;
}

// "path<tab>size<tab>digest"; a key's path ends with a slash.
bool TakeEntry(std::string_view line, RegistrySnapshot* entries) {
  const std::optional<std::string_view> path = TakeUntil('\t', &line);
  const std::optional<std::string_view> size = TakeUntil('\t', &line);
  if (!path.has_value() || path->empty() || !size.has_value()) return false;
  const std::optional<uint64_t> number = Number(*size);
  absl::StatusOr<std::string> digest = line == kNone ? std::string() : HexDecode(line);
  if (!number.has_value() || !digest.ok() || (!digest->empty() && digest->size() != kDigestBytes))
    return false;
  return entries
      ->emplace(
          *path,
          RegistryEntry{
              .is_key = path->ends_with('/'), .size = *number, .sha256 = *std::move(digest), .text = {}})
      .second;
}

}  // namespace

std::string FormatRegistryMemory(const RegistryMemory& memory) {
  std::string text(kHead);
  for (const auto& [key, entries] : memory) {
    StrAppend(&text, key, "\n");
    for (const auto& [path, entry] : entries) {
      StrAppend(&text, path, "\t", entry.size, "\t", entry.sha256.empty() ? kNone : HexEncode(entry.sha256),
                "\n");
    }
  }
  return text.append(kEnd);
}

absl::StatusOr<RegistryMemory> ParseRegistryMemory(std::string_view text) {
  const absl::Status refused = absl::InvalidArgumentError("no looks at the registry");
  if (text.size() > kMostRegistryMemoryBytes || !text.starts_with(kHead) || !text.ends_with(kEnd))
    return refused;
  text.remove_prefix(kHead.size());
  text.remove_suffix(kEnd.size());
  RegistryMemory memory;
  RegistrySnapshot* entries = nullptr;
  while (!text.empty()) {
    const std::optional<std::string_view> line = TakeUntil('\n', &text);
    if (!line.has_value() || line->empty()) return refused;
    if (!line->contains('\t')) {
      const auto [at, is_new] = memory.try_emplace(std::string(*line));
      if (!is_new) return refused;
      entries = &at->second;
    } else if (entries == nullptr || !TakeEntry(*line, entries)) {
      return refused;
    }
  }
  return memory;
}

}  // namespace cordon::platform
