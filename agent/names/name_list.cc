#include "agent/names/name_list.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/base/strings.h"
#include "common/wire/profile.h"

namespace cordon::agent {

NameList::NameList(const v1::Profile& profile, const std::vector<std::string>& others) {
  std::map<std::set<std::string>, size_t> sets;
  for (const v1::AllowRule& rule : profile.allow()) {
    if (rule.names().empty()) {
      set_of_rule_.emplace_back(std::nullopt);
      continue;
    }
    const std::set<std::string> names(rule.names().begin(), rule.names().end());
    const size_t set = sets.try_emplace(names, sets.size()).first->second;
    set_of_rule_.emplace_back(set);
    for (const std::string& name : names) {
      Entry& entry = patterns_[name];
      if (std::ranges::find(entry.sets, set) == entry.sets.end()) entry.sets.push_back(set);
      for (const std::string& text : rule.networks()) {
        if (auto network = ParseNetwork(text); network.ok()) entry.networks.push_back(*std::move(network));
      }
    }
  }
  set_count_ = sets.size();
  for (const std::string& name : others) {
    if (IsProfileName(name)) patterns_.try_emplace(name);
  }
}

std::optional<size_t> NameList::SetOfRule(size_t index) const {
  return index < set_of_rule_.size() ? set_of_rule_[index] : std::nullopt;
}

NameList::Match NameList::Find(std::string_view name) const {
  Match match;
  if (!IsProfileName(name) || name.starts_with("*")) return match;
  if (const auto found = patterns_.find(name); found != patterns_.end()) {
    match.exact = true;
    match.patterns.push_back(found->first);
  }
  size_t dot = 0;
  for (size_t labels = 1; labels <= kMaxWildcardLabels; ++labels) {
    dot = name.find('.', labels == 1 ? 0 : dot + 1);
    if (dot == std::string_view::npos || dot > kMaxWildcardBytes) break;
    const auto found = patterns_.find(StrCat("*", name.substr(dot)));
    if (found != patterns_.end()) match.patterns.push_back(found->first);
  }
  return match;
}

std::vector<size_t> NameList::SetsOf(const std::string& pattern) const {
  const auto found = patterns_.find(pattern);
  return found == patterns_.end() ? std::vector<size_t>() : found->second.sets;
}

const std::vector<Network>& NameList::NetworksOf(const std::string& pattern) const {
  static const std::vector<Network> none;
  const auto found = patterns_.find(pattern);
  return found == patterns_.end() ? none : found->second.networks;
}

std::vector<std::string> NameList::ExactNames() const {
  std::vector<std::string> names;
  for (const auto& [pattern, entry] : patterns_) {
    if (!pattern.starts_with("*") && !entry.sets.empty()) names.push_back(pattern);
  }
  return names;
}

std::vector<std::string> NameList::Wildcards() const {
  std::vector<std::string> names;
  for (const auto& [pattern, entry] : patterns_) {
    if (pattern.starts_with("*")) names.push_back(pattern);
  }
  return names;
}

}  // namespace cordon::agent
