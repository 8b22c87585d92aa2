#include "common/wire/json.h"

#include <google/protobuf/descriptor.h>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "common/base/hex.h"
#include "common/base/strings.h"

namespace cordon {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Reflection;

std::string TextOf(const FieldDescriptor& field, const std::string& bytes) {
  return field.type() == FieldDescriptor::TYPE_BYTES ? HexEncode(bytes) : bytes;
}

boost::json::value One(const google::protobuf::Message& message, const Reflection& reflection,
                       const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, &field);
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetInt32(message, &field);
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.GetInt64(message, &field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.GetUInt32(message, &field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.GetUInt64(message, &field);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.GetDouble(message, &field);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return reflection.GetFloat(message, &field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return boost::json::string(WordOf(*field.enum_type(), reflection.GetEnumValue(message, &field)));
    case FieldDescriptor::CPPTYPE_STRING:
      return boost::json::string(TextOf(field, reflection.GetString(message, &field)));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ToJson(reflection.GetMessage(message, &field));
  }
  return nullptr;
}

boost::json::value Item(const google::protobuf::Message& message, const Reflection& reflection,
                        const FieldDescriptor& field, int i) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetRepeatedBool(message, &field, i);
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetRepeatedInt32(message, &field, i);
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.GetRepeatedInt64(message, &field, i);
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.GetRepeatedUInt32(message, &field, i);
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.GetRepeatedUInt64(message, &field, i);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.GetRepeatedDouble(message, &field, i);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return reflection.GetRepeatedFloat(message, &field, i);
    case FieldDescriptor::CPPTYPE_ENUM:
      return boost::json::string(
          WordOf(*field.enum_type(), reflection.GetRepeatedEnumValue(message, &field, i)));
    case FieldDescriptor::CPPTYPE_STRING:
      return boost::json::string(TextOf(field, reflection.GetRepeatedString(message, &field, i)));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ToJson(reflection.GetRepeatedMessage(message, &field, i));
  }
  return nullptr;
}

boost::json::value ListOf(const google::protobuf::Message& message, const Reflection& reflection,
                          const FieldDescriptor& field) {
  boost::json::array items;
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    items.push_back(Item(message, reflection, field, i));
  }
  return items;
}

// A map with text keys, the only kind in the proto.
boost::json::value MapOf(const google::protobuf::Message& message, const Reflection& reflection,
                         const FieldDescriptor& field) {
  boost::json::object items;
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    const google::protobuf::Message& entry = reflection.GetRepeatedMessage(message, &field, i);
    const FieldDescriptor& key = *entry.GetDescriptor()->map_key();
    const FieldDescriptor& value = *entry.GetDescriptor()->map_value();
    items[entry.GetReflection()->GetString(entry, &key)] = One(entry, *entry.GetReflection(), value);
  }
  return items;
}

// "Containment" -> "CONTAINMENT_", "TransportProtocol" -> "TRANSPORT_PROTOCOL_": what the names of the values
// begin with.
std::string PrefixOf(const EnumDescriptor& type) {
  std::string prefix;
  for (const char c : type.name()) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && !prefix.empty()) prefix.push_back('_');
    prefix.push_back(upper ? c : static_cast<char>(c - 'a' + 'A'));
  }
  return prefix + "_";
}

}  // namespace

std::string Word(const EnumValueDescriptor& value) {
  std::string word = value.name();
  if (const std::string prefix = PrefixOf(*value.type()); word.starts_with(prefix))
    word.erase(0, prefix.size());
  for (char& c : word) {
    if (c == '_') c = '-';
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return word;
}

std::string WordOf(const EnumDescriptor& type, int number) {
  const EnumValueDescriptor* const value = type.FindValueByNumber(number);
  return value == nullptr ? StrCat(number) : Word(*value);
}

boost::json::object ToJson(const google::protobuf::Message& message) {
  boost::json::object json;
  const Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    if (field.is_map()) {
      json[field.name()] = MapOf(message, reflection, field);
    } else if (field.is_repeated()) {
      json[field.name()] = ListOf(message, reflection, field);
    } else if (!field.has_presence() || reflection.HasField(message, &field)) {
      json[field.name()] = One(message, reflection, field);
    }
  }
  return json;
}

}  // namespace cordon
