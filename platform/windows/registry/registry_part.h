#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "platform/api/file_source.h"
#include "platform/windows/registry/autostart.h"
#include "platform/windows/registry/registry_memory.h"
#include "platform/windows/registry/registry_reader.h"
#include "platform/windows/system/handle.h"

namespace cordon::platform {

// A watched part of the registry, and what stood there at the last look. Used by one thread, which must live
// as long: what it asks the system for ends with the thread.
class RegistryPart {
 public:
  explicit RegistryPart(RegistryWatch watch);

  // Set when something changed. Means nothing while Due().
  HANDLE Event() const { return event_.Get(); }
  void SetDue() { due_ = true; }
  // A look is wanted, from Next() on, on the boot-time clock.
  bool Due() const { return due_; }
  int64_t Next() const { return next_; }

  // What changed since the look before; nothing of a hive at which none was made. `before`: the last looks of
  // an agent before this one, for the first; what they differ in happened while none ran.
  void Look(const Clock& clock, const RegistryMemory& before, std::vector<RawFileEvent>* events);

  const RegistryMemory& LastLooks() const { return last_; }
  // Whether some entries could not be looked at, at the last look.
  bool Cut() const { return cut_; }

 private:
  struct Place {
    HKEY root;
    std::string hive;  // in paths
  };

  bool Arm();
  void LookAtUsers(int64_t now, const RegistryMemory& before, std::vector<RawFileEvent>* events);
  void LookAt(const Place& place, int64_t now, const RegistryMemory& before,
              std::vector<RawFileEvent>* events);

  const RegistryWatch watch_;
  Handle event_;
  RegistryKey armed_;
  RegistryMemory last_;
  bool due_ = true;
  bool cut_ = false;
  int64_t next_ = 0;
};

}  // namespace cordon::platform
