#pragma once

#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "cordon/v1/order.pb.h"

namespace cordon::controller {

// Whether a target names a host: any part that matches is enough. A TargetHost is judged by host_id or, when
// it has none, by name; that a name and an id belong together is the agent's to check (AUT-3).
class TargetMatcher {
 public:
  explicit TargetMatcher(const v1::Target& target);

  bool Matches(std::string_view host_id, std::string_view host_name, std::string_view site,
               std::span<const v1::Label> labels) const;

 private:
  bool all_;
  std::unordered_map<std::string, std::string> names_by_id_;  // lower case; empty = any name
  std::unordered_set<std::string> names_;                     // of entries without an id
  std::unordered_set<std::string> sites_;
  std::unordered_set<std::string> labels_;  // key, zero byte, value
};

}  // namespace cordon::controller
