#pragma once

#include <mutex>
#include <utility>

#include "cordon/v1/isolation.pb.h"

namespace cordon::agent {

// The newest receipt, for those who are not on the agent loop. Thread-safe.
class ReceiptBox {
 public:
  void Set(v1::Receipt receipt) {
    const std::lock_guard lock(mutex_);
    receipt_ = std::move(receipt);
  }
  v1::Receipt Get() const {
    const std::lock_guard lock(mutex_);
    return receipt_;
  }

 private:
  mutable std::mutex mutex_;
  v1::Receipt receipt_;
};

}  // namespace cordon::agent
