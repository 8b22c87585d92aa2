#include "tests/contract/system/listen.h"

namespace cordon::testing {

// A door only tells the port.
int ListenAt(const platform::LocalAddress& /*address*/) {
  return 4'711;
}

}  // namespace cordon::testing
