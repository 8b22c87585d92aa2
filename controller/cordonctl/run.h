#pragma once

#include <string>
#include <vector>

#include "controller/cordonctl/tool.h"

namespace cordon::ctl {

// The whole program but main: `args` without the program's name. Returns the exit status of design.md §11.
int Run(std::vector<std::string> args, const Environment& environment);

}  // namespace cordon::ctl
