#pragma once

#include <absl/status/status.h>
#include <bpf/libbpf.h>

#include <memory>
#include <string_view>

#include "platform/linux/system/signals.h"

// What all who load BPF programs have in common.

namespace cordon::platform {

// While programs are opened, loaded and attached: libbpf prints nothing (what matters is in the status), and
// no signal makes the kernel give up checking.
class BpfLoading {
 public:
  BpfLoading() { libbpf_set_print(nullptr); }

 private:
  const SignalsHeldBack held_back_;
};

template <auto kDestroy>
struct BpfDestroyer {
  void operator()(auto* owned) const { kDestroy(owned); }
};
using BpfLink = std::unique_ptr<bpf_link, BpfDestroyer<bpf_link__destroy>>;

// "`who`: cannot `what`" and what is missing for it. `rights`: the capabilities that `who` needs, in words.
absl::Status BpfError(std::string_view who, std::string_view rights, std::string_view what, int error);

}  // namespace cordon::platform
