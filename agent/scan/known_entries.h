#pragma once

#include <string_view>
#include <vector>

#include "cordon/v1/baseline.pb.h"

namespace cordon::agent {

// What a baseline has of a folder, while the folder is listed.
class KnownEntries {
 public:
  KnownEntries() = default;
  // In the order of their names, as the baseline keeps them.
  explicit KnownEntries(v1::BaselineFolder recorded);

  // Null: it is not known. Lives as long as this.
  const v1::BaselineEntry* Take(std::string_view name);
  std::vector<const v1::BaselineEntry*> NotTaken() const;

 private:
  v1::BaselineFolder recorded_;
  std::vector<bool> taken_;
};

}  // namespace cordon::agent
