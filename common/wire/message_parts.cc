#include "common/wire/message_parts.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <cstdint>

#include "common/base/strings.h"

namespace cordon {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr int kDeepest = 100;        // as protobuf's own parser
constexpr size_t kSmallestPart = 2;  // a tag, and a length or a value

class PartCounter {
 public:
  explicit PartCounter(size_t most) : left_(most) {}

  // False: too many, or no message.
  bool Count(const Descriptor& type, std::string_view bytes, int depth) {
    if (depth > kDeepest) return false;
    CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<int>(bytes.size()));
    while (in.CurrentPosition() < static_cast<int>(bytes.size())) {
      const uint32_t tag = in.ReadTag();
      if (tag == 0 || !CountField(type, bytes, tag, depth, &in)) return false;
    }
    return true;
  }

 private:
  bool CountField(const Descriptor& type, std::string_view bytes, uint32_t tag, int depth,
                  CodedInputStream* in) {
    const FieldDescriptor* const field = type.FindFieldByNumber(WireFormatLite::GetTagFieldNumber(tag));
    switch (WireFormatLite::GetTagWireType(tag)) {
      case WireFormatLite::WIRETYPE_LENGTH_DELIMITED:
        break;
      case WireFormatLite::WIRETYPE_START_GROUP:  // no version has had one
        return false;
      default:
        // Of a number that is known, it takes the place that the field has.
        return (field != nullptr || Take()) && WireFormatLite::SkipField(in, tag);
    }
    uint32_t size = 0;
    if (!Take() || !in->ReadVarint32(&size)) return false;
    const auto at = static_cast<size_t>(in->CurrentPosition());
    if (size > bytes.size() - at || !in->Skip(static_cast<int>(size))) return false;
    if (field == nullptr || field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return true;
    return Count(*field->message_type(), bytes.substr(at, size), depth + 1);
  }

  bool Take() {
    if (left_ == 0) return false;
    --left_;
    return true;
  }

  size_t left_;
};

}  // namespace

absl::Status CheckParts(const Descriptor& type, std::string_view bytes, size_t most) {
  if (bytes.size() / kSmallestPart <= most) return absl::OkStatus();
  if (PartCounter(most).Count(type, bytes, 1)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat("a message of ", bytes.size(), " bytes has more than ", most, " parts, or is damaged"));
}

}  // namespace cordon
