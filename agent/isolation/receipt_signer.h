#pragma once

#include <absl/status/status.h>

#include "cordon/v1/isolation.pb.h"

namespace cordon::agent {

// Signs receipts with the host's key (ISO-7), so that a controller cannot make more of them than the host
// said. On the agent loop.
class ReceiptSigner {
 public:
  virtual ~ReceiptSigner() = default;

  // Sets host id, statement and signature.
  virtual absl::Status Sign(v1::Receipt* receipt) = 0;
};

}  // namespace cordon::agent
