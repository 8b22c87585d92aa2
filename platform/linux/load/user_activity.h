#pragma once

#include <memory>
#include <optional>

struct sd_bus;

namespace cordon::platform {

// Asks logind whether all sessions are idle: of text sessions it knows by their terminals, of graphical ones
// by what the desktop says of itself (IdleHint). Nothing when no logind answers.
class UserActivity {
 public:
  UserActivity();
  ~UserActivity();
  UserActivity(const UserActivity&) = delete;
  UserActivity& operator=(const UserActivity&) = delete;

  std::optional<bool> Read();

 private:
  sd_bus* bus_ = nullptr;
};

}  // namespace cordon::platform
