#pragma once

#include <memory>

#include "platform/api/file_source.h"

namespace cordon::platform {

// Files alone, and not who changed them; MakeFileSource() adds that, and puts the registry beside it.
std::unique_ptr<FileSource> MakeDirectorySource();

}  // namespace cordon::platform
