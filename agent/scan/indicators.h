#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "cordon/v1/scan.pb.h"
#include "platform/api/file_tree.h"

namespace cordon::agent {

struct IndicatorMatch {
  std::string rule;    // "path", "sha256", "md5", or a YARA rule "file:rule"
  std::string detail;  // for a person
};

// Names and digests to look for. Pure.
class Indicators {
 public:
  Indicators() = default;  // looks for nothing
  explicit Indicators(const v1::IndicatorCheck& check);

  bool NeedDigests() const { return !sha256_.empty() || !md5_.empty(); }
  bool NeedMd5() const { return !md5_.empty(); }
  bool NeedRules() const { return rules_; }
  bool NeedContent() const { return NeedDigests() || NeedRules(); }

  // A pattern with a '/' is held against the whole path, another one against the last name in it; both as
  // bytes. The first one that matches is told.
  std::vector<IndicatorMatch> MatchPath(std::string_view path) const;
  std::vector<IndicatorMatch> MatchDigests(const platform::Digests& digests) const;

 private:
  std::unordered_set<std::string> sha256_;
  std::unordered_set<std::string> md5_;
  std::unordered_set<std::string> plain_paths_;  // without '*' and '?'
  std::unordered_set<std::string> plain_names_;
  std::vector<std::string> path_patterns_;
  std::vector<std::string> name_patterns_;
  bool rules_ = false;
};

}  // namespace cordon::agent
