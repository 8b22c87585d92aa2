#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

namespace cordon::testing {

// A disk that fails as disks do, for every SQLite database under a folder: a shim around SQLite's own file
// system layer (VFS), so that the code under test is the code that ships. Real fsync is left out: what a
// power cut leaves is decided here. One at a time per folder; make it before the databases are opened.
// Thread-safe.
//
// A call is a read, write, sync, truncation, opening or deletion of a database or one of its logs.
class FaultDisk {
 public:
  FaultDisk(const std::filesystem::path& folder, uint32_t seed);
  ~FaultDisk();
  FaultDisk(const FaultDisk&) = delete;
  FaultDisk& operator=(const FaultDisk&) = delete;

  // Calls so far.
  int64_t Calls() const;

  // The n-th call from now (1 = the next) is the first that power is off for: it and all that follow fail.
  void CutPowerAt(int64_t call);
  bool PowerIsOff() const;
  // Files become what the disk can have kept: what was synced, and of the rest any part, down to single
  // sectors. No database of this disk may be open.
  void PowerOn();

  // The n-th call from now, and `times - 1` after it, end with an I/O error.
  void FailAt(int64_t call, int64_t times = 1);
  // Every n-th call ends with an I/O error; 0 = none.
  void FailEvery(int64_t calls);
  // Nothing that would make a file longer is written.
  void SetFull(bool full);

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace cordon::testing
