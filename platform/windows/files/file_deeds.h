#pragma once

// Who did what to which file, by the kernel's trace. Pure.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "platform/api/file_source.h"
#include "platform/windows/files/device_paths.h"
#include "platform/windows/files/file_trace_decode.h"
#include "platform/windows/files/recently_used.h"

namespace cordon::platform {

struct FileDoer {
  uint32_t pid = 0;
  int64_t boottime_nanos = 0;  // when it did so
};

// A change that a watch told is somebody's when the trace has a deed of that kind at that path, at most
// kRecent before it. Of several the last one that began before the change was read: two programs that write a
// file at the same moment are told as the later one.
//
// It rather says nothing than something wrong: nothing of files that were opened before the trace began
// (until somebody opens them anew), of what was written into memory, of deeds that the system did in the name
// of another thread, and, when the trace has lost records, of anything before that. What the trace has are
// attempts: a deed that the system refused counts as well when it is the last one.
//
// Not thread-safe.
class FileDeeds {
 public:
  static constexpr int64_t kRecent = 3'000'000'000;

  struct Limits {
    size_t paths = 4'096;                 // with deeds
    size_t open = 4'096;                  // openings, and as many files; twice that for a while
    int64_t kept_nanos = 30'000'000'000;  // of deeds
  };

  FileDeeds() : FileDeeds(Limits()) {}
  explicit FileDeeds(Limits limits) : limits_(limits), open_(limits.open), files_(limits.open) {}

  // Only what happens in these folders is kept, and nothing of what is at or below `excluded` (as NameBytes).
  void Watch(DevicePaths folders, const std::vector<std::string>& excluded);

  // `pid` did it, in the order of the trace; 0: it is not known who.
  void Take(const FileTraceRecord& record, uint32_t pid, int64_t boottime_nanos);

  // Records were lost: what is known may not be the last.
  void Forget();

  // Nothing when it is not sure. Of kCreated, kModified, kDeleted and kRenamed.
  std::optional<FileDoer> Find(const RawFileEvent& event) const;

  // For tests of the bounds.
  size_t Paths() const { return paths_.size(); }
  size_t Open() const { return open_.Size() + files_.Size(); }

 private:
  enum What : uint8_t { kMade = 1, kChanged = 2, kGone = 4, kReplaced = 8 };
  // One or more of the same kind by the same process, none of them later than kRecent after the one before.
  struct Deed {
    uint32_t pid = 0;
    uint8_t what = 0;  // bits
    int64_t first = 0;
    int64_t last = 0;
  };
  struct Path {
    std::vector<Deed> deeds;  // the last few, oldest first
    int64_t queued = 0;
  };
  // What was done by an opening is told again when it is closed: others may see it only then, and what an
  // opening does by itself is sure only then. Whoever closes it may be another process that inherited it.
  struct Opening {
    std::string path;
    std::optional<uint32_t> writer;
    std::optional<uint32_t> deleter;
  };

  std::optional<std::string> Known(std::u16string_view device_path) const;
  const std::string* PathOf(const FileTraceRecord& record);
  void TakeOpening(const FileTraceRecord& record, uint32_t pid, int64_t now);
  void TakeWrite(const FileTraceRecord& record, uint32_t pid, int64_t now);
  void TakeClose(const FileTraceRecord& record, int64_t now);
  void TakeRename(const FileTraceRecord& record, uint32_t pid, int64_t now);
  void Note(const std::string& path, uint32_t pid, int64_t now, uint8_t what);
  void DropOld(int64_t now);
  std::optional<FileDoer> LastOf(const std::filesystem::path& path, uint8_t what, int64_t until) const;

  const Limits limits_;
  DevicePaths folders_;
  std::vector<std::string> excluded_;  // without capitals
  // Paths are without capitals.
  RecentlyUsed<Opening> open_;
  RecentlyUsed<std::string> files_;
  std::unordered_map<std::string, Path> paths_;
  std::deque<std::string> queue_;  // each path once, about by its last deed
};

}  // namespace cordon::platform
