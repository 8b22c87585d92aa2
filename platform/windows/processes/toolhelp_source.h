#pragma once

#include <memory>

#include "platform/api/process_source.h"

namespace cordon::platform {

// Looks at the list of processes four times a second: what lives shorter may never be seen. Works everywhere.
std::unique_ptr<ProcessSource> MakeToolhelpSource();

}  // namespace cordon::platform
