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

// The value whose word is `text`; the one of number 0 when there is none.
template <typename Enum>
Enum FromWord(std::string_view text) {
  const google::protobuf::EnumDescriptor* const type = google::protobuf::GetEnumDescriptor<Enum>();
  for (int i = 0; i < type->value_count(); ++i) {
    if (Word(*type->value(i)) == text) return static_cast<Enum>(type->value(i)->number());
  }
  return static_cast<Enum>(0);
}

}  // namespace cordon
