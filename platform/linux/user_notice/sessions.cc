#include "platform/linux/user_notice/sessions.h"

#include <systemd/sd-login.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace cordon::platform {
namespace {

struct Free {
  void operator()(char* text) const { std::free(text); }
};

// One of logind's words about a session; empty when it has none.
std::string Ask(int (*question)(const char*, char**), const char* session) {
  char* answer = nullptr;
  if (question(session, &answer) < 0) return {};
  const std::unique_ptr<char, Free> owned(answer);
  return answer == nullptr ? std::string() : std::string(answer);
}

template <typename T>
void AddOnce(std::vector<T>* list, T value) {
  if (std::find(list->begin(), list->end(), value) == list->end()) list->push_back(std::move(value));
}

void Add(const char* session, UserSessions* found) {
  if (Ask(sd_session_get_class, session) != "user") return;  // not the login screen, not a service
  const std::string type = Ask(sd_session_get_type, session);
  uid_t uid = 0;
  if (type == "x11" || type == "wayland" || type == "mir") {
    if (sd_session_get_uid(session, &uid) >= 0) AddOnce(&found->desktops, uid);
    return;
  }
  const std::string tty = Ask(sd_session_get_tty, session);
  if (!tty.empty() && tty.find("..") == std::string::npos) AddOnce(&found->terminals, "/dev/" + tty);
}

}  // namespace

UserSessions ListUserSessions() {
  UserSessions found;
  char** sessions = nullptr;
  if (sd_get_sessions(&sessions) <= 0) return found;
  for (char** session = sessions; *session != nullptr; ++session) {
    const std::unique_ptr<char, Free> owned(*session);
    Add(*session, &found);
  }
  std::free(static_cast<void*>(sessions));
  return found;
}

}  // namespace cordon::platform
