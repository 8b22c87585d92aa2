#pragma once

#include <chrono>
#include <memory>

#include "platform/api/flow_source.h"

namespace cordon::platform {

// Looks at the lists of open sockets again and again. Works on every kernel, and misses what is short.
class PollingFlowSource final : public FlowSource {
 public:
  explicit PollingFlowSource(std::chrono::milliseconds interval = std::chrono::seconds(30));
  ~PollingFlowSource() override;

  absl::Status Start(std::function<void(std::span<RawFlow>)> deliver) override;
  void Stop() override;
  void Flush() override;
  uint64_t Lost() const override { return 0; }
  FlowSourceInfo Info() const override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cordon::platform
