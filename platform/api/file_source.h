#pragma once

// Raw file changes below watched paths.

#include <absl/status/status.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cordon::platform {

// What stands in Windows' registry: whoever takes the event cannot look there later.
struct RegistryState {
  bool exists = true;
  bool is_key = false;  // else a value
  uint64_t size = 0;    // of the value's data, bytes
  std::string sha256;   // over them; 32 bytes
  std::string text;     // the data as text, UTF-8, shortened; may hold secrets
};

struct RawFileEvent {
  enum Kind : uint8_t {
    kCreated,
    kModified,     // content was or may have been written
    kClosedWrite,  // a writer closed it: content has settled as far as that writer goes
    kDeleted,
    kRenamed,  // old_path -> path; one of the two may be outside of the roots, or empty when it cannot be
               // told
    kAttributes,
    kRead,      // a program read it, or had it open for reading: below FileWatch.sensitive only
    kOverflow,  // events were lost; `path` names the watched root, or is empty for all
  };
  Kind kind = kCreated;
  bool is_directory = false;
  // kCreated, of a folder: it may have come from elsewhere with files in it, which nobody told of.
  bool may_have_content = false;
  // kCreated, by whoever walks such a folder: it came with it.
  bool moved_in = false;
  std::filesystem::path path;
  std::filesystem::path old_path;
  uint32_t pid = 0;            // who did it; 0 = the source cannot tell, or is not sure
  int64_t boottime_nanos = 0;  // when it happened, as far as the source knows; else when it was read
  uint64_t lost_count = 0;     // kOverflow: 0 = unknown
  bool lost_reads = false;     // kOverflow: of kRead, and of nothing else
  // kOverflow: what was lost happened after this; 0 = cannot be told.
  int64_t lost_since_boottime_nanos = 0;
  std::string_view lost_because;  // kOverflow: the end of a sentence, static; empty: more came than was kept
  // It happened before the source was started and is told from what the system keeps; for kOverflow: was not
  // kept. Such times may lie before the boot: less than 0.
  bool while_away = false;
  // An entry of the registry: `path` is "registry:HKLM/SOFTWARE/…", a key's with a slash at its end.
  std::shared_ptr<const RegistryState> registry{};
};

struct FileSourceInfo {
  std::string name;  // "fanotify-filesystem", "fanotify-directory", …
  std::vector<std::string> limitations;
};

struct FileWatch {
  std::vector<std::filesystem::path> roots;     // absolute; a root that does not exist yet is watched for
  std::vector<std::filesystem::path> excluded;  // absolute prefixes, e.g. the agent's own state
  // Absolute; where reads are told as well, of files. A program that maps a file into memory is told when it
  // closes it, if it opened it for reading only.
  std::vector<std::filesystem::path> sensitive;
  // A folder that is watched in addition, although it may lie below `excluded`, and whose events are given
  // even when the calling process itself causes them: the sensor's own proof. Empty = none. Must exist.
  std::filesystem::path canary;
  // A folder where a source may keep, in files of its own, how far it has told. Empty = nothing is kept.
  std::filesystem::path memory{};
  // Tell first what happened since a source last ran with this `memory`, as far as the system knows it.
  bool catch_up = false;
};

// What is watched on a clinic's machine of this system unless a policy says otherwise: programs, settings,
// start-up entries, keys and people's documents. What changes all the time by itself (caches, logs, temporary
// folders) is left out. `canary` is empty.
FileWatch DefaultFileWatch();

// The folders that hold the users' own folders on this system.
std::vector<std::filesystem::path> FoldersOfPeople();

class FileSource {
 public:
  virtual ~FileSource() = default;

  // Starts threads that call `deliver` with batches in kernel order, reads, changes of files and changes of
  // the registry each from one thread. What happened before may come after what happens now.
  // Events of the calling process itself are left out where a source knows the process of each; where it
  // knows that of some, they are told with it. A root that cannot be watched is an error that names it,
  // unless it does not exist.
  virtual absl::Status Start(const FileWatch& watch,
                             std::function<void(std::span<RawFileEvent>)> deliver) = 0;
  // What was told until then counts as safe: `memory` is brought up to date.
  virtual void Stop() = 0;
  virtual FileSourceInfo Info() const = 0;
};

std::unique_ptr<FileSource> MakeFileSource();

}  // namespace cordon::platform
