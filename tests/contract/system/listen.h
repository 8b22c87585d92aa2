#pragma once

#include "platform/api/places.h"

namespace cordon::testing {

// What gRPC does with a door's address: the port that it took, 0 for an address without one. What it leaves
// stands until the process ends.
int ListenAt(const platform::LocalAddress& address);

}  // namespace cordon::testing
