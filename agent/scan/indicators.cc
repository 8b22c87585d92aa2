#include "agent/scan/indicators.h"

#include <algorithm>
#include <filesystem>

#include "common/base/hex.h"
#include "common/base/pattern.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "platform/api/file_names.h"

namespace cordon::agent {
namespace {

const std::string* FirstMatch(const std::unordered_set<std::string>& plain,
                              const std::vector<std::string>& patterns, std::string_view text) {
  if (plain.empty() && patterns.empty()) return nullptr;  // asked for every file
  if (const auto found = plain.find(std::string(text)); found != plain.end()) return &*found;
  const auto found = std::ranges::find_if(
      patterns, [&](const std::string& pattern) { return MatchesPattern(pattern, text); });
  return found == patterns.end() ? nullptr : &*found;
}

}  // namespace

Indicators::Indicators(const v1::IndicatorCheck& check)
    : sha256_(check.sha256().begin(), check.sha256().end()),
      md5_(check.md5().begin(), check.md5().end()),
      rules_(!check.yara().empty()) {
  for (const std::string& text : check.path_patterns()) {
    std::string pattern = platform::NameBytes(platform::PathOfBytes(UnescapeFromUtf8(text)));
    const bool whole = pattern.find('/') != std::string::npos;
    const bool plain = pattern.find_first_of("*?") == std::string::npos;
    if (plain) {
      (whole ? plain_paths_ : plain_names_).insert(std::move(pattern));
    } else {
      (whole ? path_patterns_ : name_patterns_).push_back(std::move(pattern));
    }
  }
}

std::vector<IndicatorMatch> Indicators::MatchPath(std::string_view path) const {
  const std::string* found = FirstMatch(plain_paths_, path_patterns_, path);
  if (found == nullptr) found = FirstMatch(plain_names_, name_patterns_, path.substr(path.rfind('/') + 1));
  if (found == nullptr) return {};
  return {{.rule = "path", .detail = StrCat("the path matches ", EscapeToUtf8(*found))}};
}

std::vector<IndicatorMatch> Indicators::MatchDigests(const platform::Digests& digests) const {
  std::vector<IndicatorMatch> matches;
  if (sha256_.contains(digests.sha256)) {
    matches.push_back({.rule = "sha256", .detail = StrCat("SHA-256 ", HexEncode(digests.sha256))});
  }
  if (!digests.md5.empty() && md5_.contains(digests.md5)) {
    matches.push_back({.rule = "md5", .detail = StrCat("MD5 ", HexEncode(digests.md5))});
  }
  return matches;
}

}  // namespace cordon::agent
