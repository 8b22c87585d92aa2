#pragma once

#include <memory>

#include "platform/api/file_source.h"

namespace cordon::platform {

struct FanotifyOptions {
  // Reads of files below the roots instead of changes. A mark on a whole file system would cost every program
  // on the machine: set folder_marks_only with it.
  bool reads = false;
  bool folder_marks_only = false;          // never mark a whole file system
  size_t buffer_bytes = 32 * 1024 * 1024;  // between reader and translator: about 300,000 events
};

// One group; FileWatch.sensitive is not looked at. For MakeFileSource(), which puts two together, tests and
// benchmarks.
std::unique_ptr<FileSource> MakeFanotifySource(const FanotifyOptions& options);

}  // namespace cordon::platform
