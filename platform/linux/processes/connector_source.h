#pragma once

#include <memory>

#include "platform/api/process_source.h"

namespace cordon::platform {

// The fallback: the kernel's process connector says that something forked, executed or ended, and /proc is
// asked what it was. Slower, and a process that is gone by then is known by its pid alone (see Info).
class ConnectorProcessSource final : public ProcessSource {
 public:
  ConnectorProcessSource();
  ~ConnectorProcessSource() override;

  absl::Status Start(std::function<void(std::span<RawProcessEvent>)> deliver) override;
  void Stop() override;
  void Flush() override;
  ProcessSourceInfo Info() const override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cordon::platform
