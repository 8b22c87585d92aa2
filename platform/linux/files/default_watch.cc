#include "platform/api/file_source.h"

namespace cordon::platform {

// /var (but for what starts programs), /tmp, /run and caches change all the time by themselves: watching them
// would bury what matters. Programs that are started from there are seen by the process sensor.
FileWatch DefaultFileWatch() {
  return {
      .roots = {"/etc", "/boot", "/usr", "/opt", "/srv", "/root", "/home", "/var/spool/cron", "/var/www"},
      .excluded = {"/usr/share/man", "/usr/share/doc", "/usr/share/mime", "/root/.cache"},
      .sensitive = {},
      .canary = {},
  };
}

std::vector<std::filesystem::path> FoldersOfPeople() {
  return {"/home"};
}

}  // namespace cordon::platform
