#include "platform/windows/registry/registry_memory.h"

#include <optional>

#include "common/base/hex.h"
#include "common/base/status.h"
#include "platform/windows/system/saved_text.h"

namespace cordon::platform {
namespace {

constexpr std::string_view kHead = "cordon-registry 1\n";
constexpr std::string_view kNone = "-";
constexpr size_t kDigestBytes = 32;

// "path<tab>size<tab>digest"; a key's path ends with a slash.
bool TakeEntry(std::string_view line, RegistrySnapshot* entries) {
  const std::optional<std::string_view> path = TakeUntil('\t', &line);
  uint64_t size = 0;
  if (!path.has_value() || path->empty() || !TakeNumber('\t', &line, &size)) return false;
  absl::StatusOr<std::string> digest = line == kNone ? std::string() : HexDecode(line);
  if (!digest.ok() || (!digest->empty() && digest->size() != kDigestBytes)) return false;
  return entries
      ->emplace(*path,
                RegistryEntry{
                    .is_key = path->ends_with('/'), .size = size, .sha256 = *std::move(digest), .text = {}})
      .second;
}

}  // namespace

std::string FormatRegistryMemory(const RegistryMemory& memory) {
  std::string text(kHead);
  for (const auto& [key, entries] : memory) {
    std::string look = StrCat(key, "\n");
    for (const auto& [path, entry] : entries) {
      StrAppend(&look, path, "\t", entry.size, "\t", entry.sha256.empty() ? kNone : HexEncode(entry.sha256),
                "\n");
    }
    if (text.size() + look.size() + kSavedTextEnd.size() <= kMostRegistryMemoryBytes) text += look;
  }
  return text.append(kSavedTextEnd);
}

absl::StatusOr<RegistryMemory> ParseRegistryMemory(std::string_view text) {
  const absl::Status refused = absl::InvalidArgumentError("no looks at the registry");
  std::optional<std::string_view> rest = SavedContent(text, kHead, kMostRegistryMemoryBytes);
  if (!rest.has_value()) return refused;
  RegistryMemory memory;
  RegistrySnapshot* entries = nullptr;
  while (!rest->empty()) {
    const std::optional<std::string_view> line = TakeUntil('\n', &*rest);
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
