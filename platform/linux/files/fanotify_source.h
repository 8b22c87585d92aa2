#pragma once

#include <memory>

#include "platform/api/file_source.h"

namespace cordon::platform {

struct FanotifyOptions {
  bool folder_marks_only = false;          // never mark a whole file system
  size_t buffer_bytes = 32 * 1024 * 1024;  // between reader and translator: about 300,000 events
};

// MakeFileSource() with other options, for tests and benchmarks.
std::unique_ptr<FileSource> MakeFanotifySource(const FanotifyOptions& options);

}  // namespace cordon::platform
