#pragma once

// A message to the people who sit at this machine.

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <vector>

namespace cordon::platform {

struct UserNotice {
  std::string title;  // one line
  std::string text;   // lines end with \n; may be anything, is made harmless for terminals and desktops
};

struct NoticeReport {
  int terminals = 0;                  // that it was written to
  int desktops = 0;                   // that have taken it
  std::vector<std::string> failures;  // a sentence each
};

// Shows it in every session of a person, once. Linux: logind's sessions, by their terminals or by the
// desktop's notification service, in a process that runs as that user. Blocks for some seconds at most: not
// for the agent loop. `program` is this program's own path; it is started as `program show-notice --uid N`
// with title and text on its standard input.
NoticeReport TellUsers(const UserNotice& notice, const std::string& program);

// What that process does: reads the notice from standard input, gives up every right but the user's, asks the
// user's desktop to show it, and ends within some seconds whatever happens.
absl::Status ShowNoticeOnDesktop(uint32_t uid);

}  // namespace cordon::platform
