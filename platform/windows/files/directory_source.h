#pragma once

#include <memory>

#include "platform/api/file_source.h"

namespace cordon::platform {

// Files alone; MakeFileSource() puts the registry beside it.
std::unique_ptr<FileSource> MakeDirectorySource();

}  // namespace cordon::platform
