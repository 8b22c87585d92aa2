#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/network.h"
#include "cordon/v1/isolation.pb.h"

namespace cordon::agent {

// A name below a wildcard can carry bytes to whoever runs that zone's servers: these bounds make it a poor
// tunnel (docs/known-issues.md says what is left).
inline constexpr size_t kMaxWildcardLabels = 2;  // in the place of the "*"
inline constexpr size_t kMaxWildcardBytes = 40;  // of all of them, dots included

// The names of a profile, and which of its rules each stands for. Rules with the same names share one set of
// addresses. Made once per order; look-ups cost the same for one name and for ten thousand.
class NameList {
 public:
  NameList() = default;

  // `profile` has been checked (common/wire/profile.h). `others` may be asked for as well, and open nothing:
  // the controllers' names, whose addresses have a permit of their own.
  explicit NameList(const v1::Profile& profile, const std::vector<std::string>& others = {});

  // How many sets there are; the set of the profile's rule `index`, nothing for a rule without names.
  size_t SetCount() const { return set_count_; }
  std::optional<size_t> SetOfRule(size_t index) const;

  bool Empty() const { return set_count_ == 0; }

  // What is listed and stands for `name` (lower case, no dot at the end): the name itself, and wildcards
  // above it.
  struct Match {
    bool exact = false;
    std::vector<std::string> patterns;
    explicit operator bool() const { return !patterns.empty(); }
  };
  Match Find(std::string_view name) const;

  // The sets that `pattern` belongs to; the networks that the rules of these sets name as well.
  std::vector<size_t> SetsOf(const std::string& pattern) const;
  const std::vector<Network>& NetworksOf(const std::string& pattern) const;
  bool Has(const std::string& pattern) const { return patterns_.contains(pattern); }

  // Listed names without a wildcard, in order.
  std::vector<std::string> ExactNames() const;
  // Wildcards, in order.
  std::vector<std::string> Wildcards() const;

 private:
  struct Entry {
    std::vector<size_t> sets;
    std::vector<Network> networks;
  };
  std::map<std::string, Entry, std::less<>> patterns_;
  std::vector<std::optional<size_t>> set_of_rule_;
  size_t set_count_ = 0;
};

}  // namespace cordon::agent
