#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/paths.h"
#include "platform/api/file_source.h"

namespace cordon::platform {

// Which paths are watched: those below a root and not below an excluded prefix; the canary in any case. Pure.
class WatchScope {
 public:
  // Paths of `watch` must be absolute and free of links, "." and "..".
  explicit WatchScope(const FileWatch& watch);

  bool Contains(std::string_view path) const;
  bool IsCanary(std::string_view path) const { return !canary_.empty() && IsAtOrBelow(path, canary_); }

  // What can be said of all names in `folder` at once, so that most events are judged without making their
  // path.
  enum class Names { kAllInside, kAllOutside, kMixed };
  Names NamesIn(std::string_view folder) const;

  // `folder` lies above a root.
  bool LeadsToRoot(std::string_view folder) const;

  const std::vector<std::string>& Roots() const { return roots_; }  // the canary with them

 private:
  std::vector<std::string> roots_;
  std::vector<std::string> excluded_;
  std::string canary_;
};

}  // namespace cordon::platform
