#pragma once

#include <cstdint>
#include <string>

#include "common/base/clock.h"

namespace cordon::platform {

// What names this boot of the machine and stays the same until the next one, whatever is done to the clock.
struct Boot {
  std::string id;                  // UUID
  int64_t started_unix_nanos = 0;  // by the clock as it was when the first agent of this boot asked
};

// From a volatile registry key, which Windows forgets when the kernel ends. (A shutdown with fast start-up is
// a sleep of the kernel: boot, clock and key go on.) Where no key can be made the boot is named by its time.
const Boot& ThisBoot();

// Nanoseconds since this boot of a time that the system has recorded by its clock, in units of 100 ns since
// 1601, as if nobody had set the clock since the boot: always the same for the same time, which names
// processes.
int64_t BootNanosOfFileTime(uint64_t file_time);
// The same of a time that was recorded by the clock as it is set now: when something happened.
int64_t BootNanosOfRecent(uint64_t file_time, const Clock& clock);
// What BootNanosOfFileTime gives for a process that was made at that moment of the boot-time clock.
int64_t StartNanosAt(int64_t boottime_nanos, const Clock& clock);
// The same time as nanoseconds since 1970.
int64_t UnixNanosOfFileTime(uint64_t file_time);

}  // namespace cordon::platform
