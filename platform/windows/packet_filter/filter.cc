#include "platform/windows/packet_filter/filter.h"

#include <algorithm>

#include "common/base/strings.h"
#include "common/crypto/digest.h"

namespace cordon::platform::wfp {
namespace {

std::string_view StageName(Stage stage) {
  switch (stage) {
    case Stage::kConnect:
      return "connect";
    case Stage::kAccept:
      return "accept";
    case Stage::kOutTransport:
      return "out-transport";
    case Stage::kInTransport:
      return "in-transport";
    case Stage::kForward:
      return "forward";
  }
  return "";
}

std::string_view FieldName(Field field) {
  switch (field) {
    case Field::kFlags:
      return "flags";
    case Field::kRemoteAddress:
      return "remote";
    case Field::kSourceAddress:
      return "source";
    case Field::kDestinationAddress:
      return "destination";
    case Field::kLocalPort:
      return "local-port";
    case Field::kRemotePort:
      return "remote-port";
    case Field::kProtocol:
      return "protocol";
    case Field::kProgram:
      return "program";
    case Field::kService:
      return "service";
    case Field::kUnknown:
      return "unknown";
  }
  return "";
}

std::string_view ActionName(Action action) {
  switch (action) {
    case Action::kPermit:
      return "permit";
    case Action::kHardPermit:
      return "hard-permit";
    case Action::kBlock:
      return "block";
    case Action::kUnknown:
      return "callout";
  }
  return "";
}

struct ValueText {
  std::string operator()(uint32_t number) const { return StrCat(number); }
  std::string operator()(const Network& network) const { return FormatNetwork(network); }
  std::string operator()(const PortRange& ports) const {
    return ports.first == ports.last ? StrCat(ports.first) : StrCat(ports.first, "-", ports.last);
  }
  std::string operator()(const std::string& text) const { return text; }
};

}  // namespace

std::string Describe(const Filter& filter) {
  std::vector<std::string> words;
  for (const Condition& condition : filter.conditions)
    words.push_back(StrCat(FieldName(condition.field), "=", std::visit(ValueText(), condition.value)));
  std::sort(words.begin(), words.end());  // their order does nothing
  std::string text = StrCat(StageName(filter.layer.stage), filter.layer.v6 ? "-v6" : "-v4",
                            filter.lifetime == Lifetime::kBootTime ? " boot-time " : " persistent ",
                            filter.weight, " ", ActionName(filter.action));
  for (const std::string& word : words) StrAppend(&text, " ", word);
  return text;
}

FilterKey KeyOf(const Filter& filter) {
  const std::string hash = Sha256(StrCat("cordon-wfp-filter\n", Describe(filter)));
  FilterKey key{};
  std::copy_n(hash.begin(), key.size(), key.begin());
  return key;
}

}  // namespace cordon::platform::wfp
