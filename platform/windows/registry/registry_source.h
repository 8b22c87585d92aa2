#pragma once

#include <memory>
#include <vector>

#include "platform/api/file_source.h"
#include "platform/windows/registry/autostart.h"

namespace cordon::platform {

// Changes of these parts of the registry as events of files (RawFileEvent::registry). Of a FileWatch nothing
// is looked at. When Start returns, all has been looked at once.
std::unique_ptr<FileSource> MakeRegistrySource(std::vector<RegistryWatch> watches = AutostartWatches());

}  // namespace cordon::platform
