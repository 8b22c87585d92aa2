// What scans take from outside: lists of digests, path patterns, and what a scanning process that may have
// been taken over says.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "agent/scan/indicators.h"
#include "agent/scan/scanner_wire.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "controller/cordonctl/indicator_files.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  for (const size_t bytes : {cordon::kSha256Bytes, cordon::kMd5Bytes}) {
    const auto hashes = cordon::ctl::ParseHashList(input, "list", bytes);
    if (!hashes.ok()) continue;
    for (const std::string& hash : *hashes) {
      if (hash.size() != bytes) std::abort();
    }
  }
  cordon::v1::IndicatorCheck check;
  check.add_path_patterns(cordon::EscapeToUtf8(input));
  const cordon::agent::Indicators indicators(check);
  static_cast<void>(indicators.MatchPath("/home/ann/" + input));
  static_cast<void>(indicators.MatchPath(std::string(1000, 'a')));
  if (const auto answer = cordon::agent::DecodeAnswer(input)) {
    if (answer->texts.size() > cordon::agent::kMaxAnswerTexts) std::abort();
    for (const std::string& text : answer->texts) {
      if (!cordon::IsPlainText(text, 4 * cordon::agent::kMaxAnswerTextBytes)) std::abort();
    }
  }
  return 0;
}
