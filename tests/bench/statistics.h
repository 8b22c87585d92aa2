#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace cordon::testing {

// The value that `share` (0 to 1) of them lie below. `values` must not be empty.
inline double At(std::vector<double> values, double share) {
  std::ranges::sort(values);
  return values[std::min(values.size() - 1, static_cast<size_t>(share * static_cast<double>(values.size())))];
}

inline double Median(std::vector<double> values) {
  return At(std::move(values), 0.5);
}

}  // namespace cordon::testing
