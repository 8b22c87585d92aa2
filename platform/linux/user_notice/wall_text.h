#pragma once

#include <string>
#include <string_view>

#include "platform/api/user_notice.h"

namespace cordon::platform {

// As it is written to a terminal that somebody works at: lines of at most 76 columns between blank ones,
// "\r\n", a bell, and no byte that a terminal could take for a command.
std::string WallText(const UserNotice& notice);

// For the body of a desktop notification, whose services read a little markup.
std::string EscapeMarkup(std::string_view text);

// "title\ntext" and back, for the standard input of the process that shows it.
std::string PackNotice(const UserNotice& notice);
UserNotice UnpackNotice(std::string_view packed);

}  // namespace cordon::platform
