#pragma once

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>

namespace cordon::testing {

// Takes capabilities away from the calling thread, and from the threads that it starts, for good. Others of
// the process keep theirs.
inline void DropCapabilities(std::initializer_list<int> capabilities) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (syscall(SYS_capget, &header, data.data()) != 0) throw std::runtime_error("cannot read capabilities");
  for (const int capability : capabilities) {
    __user_cap_data_struct& word = data.at(static_cast<size_t>(capability) / 32);
    const uint32_t bit = uint32_t{1} << (capability % 32);
    word.effective &= ~bit;
    word.permitted &= ~bit;
    word.inheritable &= ~bit;
  }
  if (syscall(SYS_capset, &header, data.data()) != 0) throw std::runtime_error("cannot drop capabilities");
}

}  // namespace cordon::testing
