#pragma once

#include <absl/status/status.h>
#include <google/protobuf/descriptor.h>

#include <cstddef>
#include <string_view>

namespace cordon {

// OK when the serialised message `bytes` of this type has at most `most` parts: messages, strings and fields
// that this version does not know, at any depth. INVALID_ARGUMENT when it has more, or is no such message.
// To be asked before it is parsed: an empty part takes two bytes on the wire and up to a hundred in memory
// (AUT-6). Costs nothing for a message that is too short to have so many. Pure.
absl::Status CheckParts(const google::protobuf::Descriptor& type, std::string_view bytes, size_t most);

}  // namespace cordon
