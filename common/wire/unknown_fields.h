#pragma once

#include <google/protobuf/message.h>

#include <optional>
#include <string>

namespace cordon {

// The first field in `message`, at any depth, that this version's contract does not have: "isolate: field
// 99". Nothing when there is none.
std::optional<std::string> FindUnknownField(const google::protobuf::Message& message);

}  // namespace cordon
