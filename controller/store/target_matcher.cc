#include "controller/store/target_matcher.h"

#include <algorithm>

#include "common/base/strings.h"

namespace cordon::controller {
namespace {

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

std::string LabelKey(const v1::Label& label) {
  return StrCat(label.key(), std::string_view("\0", 1), label.value());
}

}  // namespace

TargetMatcher::TargetMatcher(const v1::Target& target)
    : all_(target.all()), sites_(target.sites().begin(), target.sites().end()) {
  for (const v1::TargetHost& host : target.hosts()) {
    if (host.host_id().empty()) {
      names_.insert(LowerCase(host.name()));
    } else {
      names_by_id_.emplace(host.host_id(), LowerCase(host.name()));
    }
  }
  for (const v1::Label& label : target.labels()) labels_.insert(LabelKey(label));
}

bool TargetMatcher::Matches(std::string_view host_id, std::string_view host_name, std::string_view site,
                            std::span<const v1::Label> labels) const {
  if (all_ || sites_.contains(std::string(site))) return true;
  if (const auto at = names_by_id_.find(std::string(host_id)); at != names_by_id_.end()) {
    if (at->second.empty() || at->second == LowerCase(host_name)) return true;
  }
  if (!names_.empty() && !host_name.empty() && names_.contains(LowerCase(host_name))) return true;
  return !labels_.empty() && std::ranges::any_of(labels, [&](const v1::Label& label) {
    return labels_.contains(LabelKey(label));
  });
}

}  // namespace cordon::controller
