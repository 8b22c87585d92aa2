#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cordon/v1/scan.pb.h"

namespace cordon::ctl {

// How fast a scan goes: between the last two progress messages while it runs, over all of it when it has
// ended. Pure.
class ScanRate {
 public:
  void Add(const v1::ScanProgress& progress);

  // 0: not known, or it does not run.
  uint64_t BytesPerSecond() const { return bytes_per_second_; }
  uint64_t FilesPerSecond() const { return files_per_second_; }

  // "112.5 MiB/s, 840 files/s"; empty when both are 0.
  std::string Text() const;

 private:
  struct Place {
    uint64_t bytes = 0;
    uint64_t files = 0;
    int64_t elapsed_nanos = 0;
  };
  void Between(const Place& from, const Place& to);

  std::optional<Place> last_;
  uint64_t bytes_per_second_ = 0;
  uint64_t files_per_second_ = 0;
};

}  // namespace cordon::ctl
