#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace cordon::platform {

// Where the people of logind's sessions can be reached.
struct UserSessions {
  std::vector<std::string> terminals;  // "/dev/pts/3", each once
  std::vector<uid_t> desktops;         // users with a graphical session, each once
};

// None where there is no logind.
UserSessions ListUserSessions();

}  // namespace cordon::platform
