#pragma once

// An unlock in the words that are said on the phone (AUT-5). Pure.

#include <string>
#include <string_view>

#include "common/wire/unlock.h"
#include "cordon/v1/operator.pb.h"

namespace cordon::ctl {

// What a code for `challenge` will do, for the person who is about to read it out.
std::string DescribeUnlock(const UnlockChallenge& challenge, const v1::UnlockKey& host);

// "E6QV" -> "echo six quebec victor"; a group of four letters per line.
std::string SpellOut(std::string_view letters);

}  // namespace cordon::ctl
