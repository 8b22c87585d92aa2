#pragma once

#include <google/protobuf/generated_enum_reflection.h>
#include <google/protobuf/message.h>

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

namespace cordon {

// A message as JSON for machines, the one form that all programs print: names as in the proto, plain fields
// and lists always there, messages only when set; bytes as hexadecimal, numbers as numbers, enum values as
// Word().
boost::json::object ToJson(const google::protobuf::Message& message);

// The word for an enum value as people write it: LEVEL_NO_LATERAL -> "no-lateral". "unspecified" for zero.
std::string Word(const google::protobuf::EnumValueDescriptor& value);

// The same by number: the number itself when this version does not know it.
std::string WordOf(const google::protobuf::EnumDescriptor& type, int number);

template <typename Enum>
std::string WordOf(Enum value) {
  return WordOf(*google::protobuf::GetEnumDescriptor<Enum>(), static_cast<int>(value));
}

}  // namespace cordon
