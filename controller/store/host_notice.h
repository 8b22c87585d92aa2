#pragma once

// What the controller itself finds about a host. The audit log is where it is kept: an entry with one of
// these actions, whose subject is the host's id. hosts, and the export, tell of them from there.

#include <algorithm>
#include <array>
#include <string_view>

namespace cordon::controller {

// Two copies of the host's identity live.
inline constexpr std::string_view kClonedSession = "session.cloned";
// Another run of its agent took a live session over: a restart, or the first sign of a clone.
inline constexpr std::string_view kSecondSession = "session.second";
// It sends more, or opens more, than a host may, and is slowed or refused.
inline constexpr std::string_view kHeldBack = "host.held_back";

inline constexpr std::array kHostNotices = {kClonedSession, kSecondSession, kHeldBack};

inline bool IsHostNotice(std::string_view action) {
  return std::ranges::find(kHostNotices, action) != kHostNotices.end();
}

}  // namespace cordon::controller
