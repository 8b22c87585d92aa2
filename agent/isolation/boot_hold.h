#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "common/base/clock.h"

namespace cordon::agent {

// Holds a host that was off at controller-only from boot until a controller has been asked for newer orders,
// or a time has passed (the setting isolation.hold_until_connected): a host that missed an order while it was
// off takes it before others reach it. Once per boot; a host that never had a connection is not held.
//
// On disk, in `file`, so that whoever runs (the boot unit, the agent, the agent after a restart) decides the
// same:
//   "cordon-boot-hold-v1 <boot id> <began, ns since boot> <0|1: over> <length, ns>\n"
// Damage is taken for another boot. The length is the one that the agent had when it last ran: the boot unit
// reads no settings.
class BootHold {
 public:
  BootHold(std::filesystem::path file, std::string boot_id, const Clock& clock);

  // Whether the host is to be held now. Begins the hold of a new boot, on disk.
  bool Begin();

  // A controller was asked, or nobody answered in time: no hold any more in this boot. Takes `length_nanos`
  // for the next one; 0: none. Writes nothing when the file says so already.
  void End(int64_t length_nanos);

  // What is left of the hold; 0 when there is none.
  int64_t RemainingNanos() const;

 private:
  struct Record {
    std::string boot_id;
    int64_t began_boot_nanos = 0;
    bool over = false;
    int64_t length_nanos = 0;
    friend bool operator==(const Record&, const Record&) = default;
  };
  bool Read();  // false: no file
  void Write() const;

  const std::filesystem::path file_;
  const std::string boot_id_;
  const Clock& clock_;
  Record record_;
};

inline constexpr const char* kBootHoldFile = "boot-hold";
inline constexpr int64_t kDefaultBootHoldNanos = 30 * kNanosPerSecond;
inline constexpr int64_t kMaxBootHoldNanos = 600 * kNanosPerSecond;

}  // namespace cordon::agent
