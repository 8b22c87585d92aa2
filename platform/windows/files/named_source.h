#pragma once

#include <chrono>
#include <memory>

#include "platform/api/file_source.h"
#include "platform/windows/files/file_trace.h"

namespace cordon::platform {

// Changes of files as `files` tells them, with who made them as far as `trace` knows. The trace comes later
// than the change, so changes are held for `hold`, a whole group of them at a time; where there is no trace
// they are passed on at once, and Info says that nobody is named.
std::unique_ptr<FileSource> MakeNamedSource(std::unique_ptr<FileSource> files,
                                            std::unique_ptr<FileTrace> trace,
                                            std::chrono::milliseconds hold = std::chrono::milliseconds(250));

}  // namespace cordon::platform
