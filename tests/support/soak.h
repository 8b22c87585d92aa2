#pragma once

#include <cstdlib>

namespace cordon::testing {

// How many rounds a storm has: `usual` in scripts/test, `full` in scripts/soak, which sets CORDON_SOAK.
inline int StormCount(int usual, int full) {
  return std::getenv("CORDON_SOAK") != nullptr ? full : usual;
}

}  // namespace cordon::testing
