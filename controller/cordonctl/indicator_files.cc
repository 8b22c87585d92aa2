#include "controller/cordonctl/indicator_files.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "common/base/hex.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "common/rules/rule_set.h"
#include "platform/api/files.h"

namespace cordon::ctl {
namespace {

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const absl::StatusOr<std::string> text = platform::ReadFileBounded(path, kMaxIndicatorFileBytes);
  if (!text.ok()) return absl::InvalidArgumentError(StrCat(path, ": ", Message(text.status())));
  return text;
}

std::string_view TakeLine(std::string_view* text) {
  const size_t end = std::min(text->find('\n'), text->size());
  std::string_view line = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
    line.remove_suffix(1);
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  return line;
}

template <typename Add>
absl::Status ReadHashes(const std::vector<std::string>& files, size_t bytes, const Add& add) {
  for (const std::string& file : files) {
    CORDON_ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
    CORDON_ASSIGN_OR_RETURN(const std::vector<std::string> hashes, ParseHashList(text, file, bytes));
    for (const std::string& hash : hashes) add(hash);
  }
  return absl::OkStatus();
}

absl::Status ReadRules(const std::vector<std::string>& files, v1::IndicatorCheck* check, std::string* note) {
  for (const std::string& file : files) {
    CORDON_ASSIGN_OR_RETURN(std::string text, ReadFile(file));
    v1::RuleFile& rules = *check->add_yara();
    rules.set_name(std::filesystem::path(file).filename().string());
    rules.set_content(std::move(text));
  }
  std::vector<RuleText> texts;
  for (const v1::RuleFile& file : check->yara())
    texts.push_back({.file = file.name(), .text = file.content()});
  const absl::Status compiled = RuleSet::Compile(texts).status();
  if (!absl::IsUnimplemented(compiled)) return compiled;
  *note = "the rules were not checked here, the hosts will do so";
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ParseHashList(std::string_view text, const std::string& file_name,
                                                       size_t bytes) {
  std::set<std::string> hashes;
  for (int line_number = 1; !text.empty(); ++line_number) {
    const std::string_view line = TakeLine(&text);
    if (line.empty() || line.front() == '#') continue;
    const std::string_view word = line.substr(0, line.find_first_of(" \t"));
    absl::StatusOr<std::string> hash = HexDecode(word);
    if (!hash.ok() || hash->size() != bytes) {
      return absl::InvalidArgumentError(StrCat(file_name, ":", line_number, ": '",
                                               Printable(word.substr(0, 80)), "' is not ", 2 * bytes,
                                               " hexadecimal digits"));
    }
    hashes.insert(*std::move(hash));
  }
  if (hashes.empty()) return absl::InvalidArgumentError(StrCat(file_name, ": there is no digest in it"));
  return std::vector<std::string>(hashes.begin(), hashes.end());
}

absl::StatusOr<v1::IndicatorCheck> ReadIndicators(const IndicatorOptions& options, std::string* note) {
  v1::IndicatorCheck check;
  CORDON_RETURN_IF_ERROR(ReadHashes(options.sha256_files, kSha256Bytes,
                                    [&](const std::string& hash) { check.add_sha256(hash); }));
  CORDON_RETURN_IF_ERROR(
      ReadHashes(options.md5_files, kMd5Bytes, [&](const std::string& hash) { check.add_md5(hash); }));
  for (const std::string& pattern : options.path_patterns) check.add_path_patterns(pattern);
  if (!options.rule_files.empty()) CORDON_RETURN_IF_ERROR(ReadRules(options.rule_files, &check, note));
  check.set_running_processes(options.running_processes);
  if (check.sha256().empty() && check.md5().empty() && check.path_patterns().empty() &&
      check.yara().empty()) {
    return absl::InvalidArgumentError(
        "nothing to look for: give --sha256-file, --md5-file, --path-pattern or --yara");
  }
  return check;
}

}  // namespace cordon::ctl
