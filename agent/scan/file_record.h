#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/scan/indicators.h"
#include "cordon/v1/scan.pb.h"
#include "platform/api/file_tree.h"

namespace cordon::agent {

// One path as the baseline keeps it.
struct FileRecord {
  std::string path = {};  // bytes as the system has them
  platform::FileMetadata metadata = {};
  std::string sha256 = {};  // of a file that could be read
  platform::FileAttributes attributes = {};
};

// Files that nobody waits for. Anybody makes one of any length in no time, by a hole: above the second bound
// one that is nearly nothing else is not read either.
inline constexpr uint64_t kMaxReadBytes = uint64_t{1} << 40;
inline constexpr uint64_t kMaxHollowBytes = uint64_t{64} << 30;

// OUT_OF_RANGE, with the reason, for a file whose content is not read. Pure.
absl::Status WorthReading(const platform::FileMetadata& metadata);

// A file that is read at a moment so soon after its last change may be changed once more without another
// time: the kernel gives a mapping one only when it writes to it for the first time since its pages went to
// the disk, which they do within half a minute.
inline constexpr int64_t kUnsureNanos = 60'000'000'000;

// What to record of the change time of a file that was read at that moment: 0 when it says nothing of what
// comes after. Pure.
int64_t SureChangeTime(int64_t ctime_unix_nanos, int64_t read_at_unix_nanos);

// Nothing that a program can do to a file's content leaves all of these as they were (short of writing to the
// disk below the file system, or setting the clock back while it writes), where `before` has a change time:
// no need to read it.
bool LooksUntouched(const platform::FileMetadata& before, const platform::FileMetadata& after);

// And its content was read then, if it is a file.
bool LooksUntouched(const FileRecord& before, const platform::FileMetadata& after);

// What differs, as a finding; nothing when the two are the same in all that counts. Times and inode numbers
// alone do not. Pure.
std::optional<v1::Finding> Compare(const FileRecord& before, const FileRecord& after);

v1::Finding AddedFinding(const FileRecord& after);
v1::Finding RemovedFinding(const FileRecord& before);
v1::Finding IndicatorFinding(const FileRecord& file, const IndicatorMatch& match);
// `what` happened to the scanning process on this file.
v1::Finding ScannerFinding(const std::string& path, std::string_view what);

}  // namespace cordon::agent
