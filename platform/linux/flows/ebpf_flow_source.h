#pragma once

#include <memory>

#include "platform/api/flow_source.h"

namespace cordon::platform {

struct EbpfFlowOptions {
  // Notes a UDP peer when a socket is connected to it, as is done on kernels before 6.3, and not when it
  // sends.
  bool udp_at_connect = false;
};

// Programs in the kernel watch TCP connections come to stand (a BTF tracepoint) and UDP datagrams be sent and
// read (cgroup hooks at the root of the unified hierarchy, which only look on). One thread empties their ring
// every second; it is woken before only when the ring fills.
class EbpfFlowSource final : public FlowSource {
 public:
  explicit EbpfFlowSource(EbpfFlowOptions options = {});
  ~EbpfFlowSource() override;

  absl::Status Start(std::function<void(std::span<RawFlow>)> deliver) override;
  void Stop() override;
  void Flush() override;
  uint64_t Lost() const override;
  FlowSourceInfo Info() const override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cordon::platform
