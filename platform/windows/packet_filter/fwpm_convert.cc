#include "platform/windows/packet_filter/fwpm_convert.h"

#include <bit>
#include <cstring>
#include <optional>

#include "common/base/status.h"
#include "platform/windows/packet_filter/wfp_filter.h"
#include "platform/windows/system/text.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform::wfp {
namespace {

struct FieldName {
  Field field;
  GUID guid;
};

constexpr FieldName kFields[] = {
    {Field::kFlags, kFieldFlags},
    {Field::kRemoteAddress, kFieldRemoteAddress},
    {Field::kSourceAddress, kFieldSourceAddress},
    {Field::kDestinationAddress, kFieldDestinationAddress},
    {Field::kLocalPort, kFieldLocalPort},
    {Field::kRemotePort, kFieldRemotePort},
    {Field::kProtocol, kFieldProtocol},
    {Field::kProgram, kFieldProgram},
    {Field::kService, kFieldUser},
};

Field FieldOf(const GUID& guid) {
  for (const FieldName& each : kFields)
    if (IsEqualGUID(each.guid, guid) != 0) return each.field;
  return Field::kUnknown;
}

GUID GuidOf(Field field) {
  for (const FieldName& each : kFields)
    if (each.field == field) return each.guid;
  return {};
}

// Whoever holds the SID may "match": 0x1 is FWP_ACTRL_MATCH_FILTER.
std::wstring ServiceDescriptor(const std::string& sid) {
  return L"O:SYG:SYD:(A;;CC;;;" + Wide(sid) + L")";
}

uint32_t Mask(int prefix_length) {
  return prefix_length == 0 ? 0 : ~uint32_t{0} << (32 - prefix_length);
}

std::optional<Network> NetworkOf(const FWP_CONDITION_VALUE0& value) {
  if (value.type == FWP_V4_ADDR_MASK) {
    const uint32_t mask = value.v4AddrMask->mask;
    const int length = std::popcount(mask);
    if (mask != Mask(length)) return std::nullopt;
    return Network{boost::asio::ip::address_v4(value.v4AddrMask->addr), length};
  }
  if (value.type == FWP_UINT32) return Network{boost::asio::ip::address_v4(value.uint32), 32};
  boost::asio::ip::address_v6::bytes_type bytes;
  if (value.type == FWP_V6_ADDR_MASK) {
    std::memcpy(bytes.data(), value.v6AddrMask->addr, bytes.size());
    return Network{boost::asio::ip::address_v6(bytes), value.v6AddrMask->prefixLength};
  }
  if (value.type != FWP_BYTE_ARRAY16_TYPE) return std::nullopt;
  std::memcpy(bytes.data(), value.byteArray16->byteArray16, bytes.size());
  return Network{boost::asio::ip::address_v6(bytes), 128};
}

std::optional<PortRange> PortsOf(const FWP_CONDITION_VALUE0& value, FWP_MATCH_TYPE match) {
  if (value.type == FWP_UINT16 && match == FWP_MATCH_EQUAL) return PortRange{value.uint16, value.uint16};
  if (value.type != FWP_RANGE_TYPE || match != FWP_MATCH_RANGE ||
      value.rangeValue->valueLow.type != FWP_UINT16)
    return std::nullopt;
  return PortRange{value.rangeValue->valueLow.uint16, value.rangeValue->valueHigh.uint16};
}

std::optional<std::string> ProgramOf(const FWP_CONDITION_VALUE0& value) {
  if (value.type != FWP_BYTE_BLOB_TYPE || value.byteBlob->size < sizeof(wchar_t)) return std::nullopt;
  const size_t units = value.byteBlob->size / sizeof(wchar_t);
  std::wstring text(units, L'\0');
  std::memcpy(text.data(), value.byteBlob->data, units * sizeof(wchar_t));
  while (!text.empty() && text.back() == L'\0') text.pop_back();
  return Narrow(text);
}

// The SID of a descriptor that we have made; nothing for any other.
std::optional<std::string> ServiceOf(const FWP_CONDITION_VALUE0& value) {
  if (value.type != FWP_SECURITY_DESCRIPTOR_TYPE) return std::nullopt;
  LocalMemory<wchar_t*> text;
  if (ConvertSecurityDescriptorToStringSecurityDescriptorW(
          value.sd->data, SDDL_REVISION_1, DACL_SECURITY_INFORMATION, text.Out(), nullptr) == 0)
    return std::nullopt;
  constexpr std::string_view kBefore = "D:(A;;CC;;;";
  const std::string sddl = Narrow(text.Get());
  if (!sddl.starts_with(kBefore) || !sddl.ends_with(")") ||
      sddl.find('(', kBefore.size()) != std::string::npos)
    return std::nullopt;
  const std::string sid = sddl.substr(kBefore.size(), sddl.size() - kBefore.size() - 1);
  return sid == "SY" ? kSystemSid : sid;  // it has a short form
}

Condition FromNative(const FWPM_FILTER_CONDITION0& native) {
  const FWP_CONDITION_VALUE0& value = native.conditionValue;
  Condition condition{.field = FieldOf(native.fieldKey), .value = uint32_t{0}};
  const bool equal = native.matchType == FWP_MATCH_EQUAL;
  const auto set = [&](auto&& found) {
    if (found.has_value()) {
      condition.value = *std::move(found);
    } else {
      condition = {.field = Field::kUnknown, .value = uint32_t{0}};
    }
  };
  switch (condition.field) {
    case Field::kFlags:
      set(value.type == FWP_UINT32 && native.matchType == FWP_MATCH_FLAGS_ALL_SET
              ? std::optional(value.uint32)
              : std::nullopt);
      break;
    case Field::kProtocol:
      set(value.type == FWP_UINT8 && equal ? std::optional(uint32_t{value.uint8}) : std::nullopt);
      break;
    case Field::kRemoteAddress:
    case Field::kSourceAddress:
    case Field::kDestinationAddress:
      set(equal ? NetworkOf(value) : std::nullopt);
      break;
    case Field::kLocalPort:
    case Field::kRemotePort:
      set(PortsOf(value, native.matchType));
      break;
    case Field::kProgram:
      set(equal ? ProgramOf(value) : std::nullopt);
      break;
    case Field::kService:
      set(equal ? ServiceOf(value) : std::nullopt);
      break;
    case Field::kUnknown:
      break;
  }
  return condition;
}

Action ActionOf(const FWPM_FILTER0& native) {
  if (native.action.type == FWP_ACTION_BLOCK) return Action::kBlock;
  if (native.action.type != FWP_ACTION_PERMIT) return Action::kUnknown;
  return (native.flags & kFilterClearActionRight) != 0 ? Action::kHardPermit : Action::kPermit;
}

uint64_t WeightOf(const FWP_VALUE0& value) {
  return value.type == FWP_UINT64 && value.uint64 != nullptr ? *value.uint64 : 0;
}

}  // namespace

GUID LayerGuid(Layer layer) {
  switch (layer.stage) {
    case Stage::kConnect:
      return layer.v6 ? kLayerConnectV6 : kLayerConnectV4;
    case Stage::kAccept:
      return layer.v6 ? kLayerAcceptV6 : kLayerAcceptV4;
    case Stage::kOutTransport:
      return layer.v6 ? kLayerOutTransportV6 : kLayerOutTransportV4;
    case Stage::kInTransport:
      return layer.v6 ? kLayerInTransportV6 : kLayerInTransportV4;
    case Stage::kForward:
      return layer.v6 ? kLayerForwardV6 : kLayerForwardV4;
  }
  return {};
}

GUID ToGuid(const FilterKey& key) {
  return std::bit_cast<GUID>(key);
}

FilterKey ToKey(const GUID& guid) {
  return std::bit_cast<FilterKey>(guid);
}

absl::StatusOr<std::unique_ptr<NativeFilter>> NativeFilter::Make(const Filter& filter, const FilterKey& key) {
  auto made = std::make_unique<NativeFilter>();
  made->name_ = Wide(StrCat("Cordon: ", filter.name));
  made->weight_ = filter.weight;
  made->conditions_.reserve(filter.conditions.size());
  for (const Condition& condition : filter.conditions) CORDON_RETURN_IF_ERROR(made->AddCondition(condition));
  FWPM_FILTER0& native = made->native_;
  native.filterKey = ToGuid(key);
  native.displayData.name = made->name_.data();
  native.flags = filter.lifetime == Lifetime::kBootTime ? kFilterBootTime : kFilterPersistent;
  if (filter.action != Action::kPermit) native.flags |= kFilterClearActionRight;
  native.providerKey = &made->provider_;
  native.layerKey = LayerGuid(filter.layer);
  native.subLayerKey = kSublayer;
  native.weight.type = FWP_UINT64;
  native.weight.uint64 = &made->weight_;
  native.numFilterConditions = static_cast<UINT32>(made->conditions_.size());
  native.filterCondition = made->conditions_.data();
  native.action.type = filter.action == Action::kBlock ? FWP_ACTION_BLOCK : FWP_ACTION_PERMIT;
  return made;
}

absl::Status NativeFilter::AddCondition(const Condition& condition) {
  FWPM_FILTER_CONDITION0 native{};
  native.fieldKey = GuidOf(condition.field);
  native.matchType = FWP_MATCH_EQUAL;
  if (const auto* const network = std::get_if<Network>(&condition.value)) {
    AddNetwork(*network, &native);
  } else if (const auto* const ports = std::get_if<PortRange>(&condition.value)) {
    AddPorts(*ports, &native);
  } else if (const auto* const number = std::get_if<uint32_t>(&condition.value)) {
    const bool flags = condition.field == Field::kFlags;
    native.conditionValue.type = flags ? FWP_UINT32 : FWP_UINT8;
    if (flags) native.matchType = FWP_MATCH_FLAGS_ALL_SET;
    if (flags) native.conditionValue.uint32 = *number;
    if (!flags) native.conditionValue.uint8 = static_cast<UINT8>(*number);
  } else if (condition.field == Field::kProgram) {
    AddProgram(std::get<std::string>(condition.value), &native);
  } else {
    CORDON_RETURN_IF_ERROR(AddService(std::get<std::string>(condition.value), &native));
  }
  conditions_.push_back(native);
  return absl::OkStatus();
}

void NativeFilter::AddNetwork(const Network& network, FWPM_FILTER_CONDITION0* to) {
  if (network.IsV6()) {
    FWP_V6_ADDR_AND_MASK& value = v6_.emplace_back();
    const auto bytes = network.address.to_v6().to_bytes();
    std::memcpy(value.addr, bytes.data(), bytes.size());
    value.prefixLength = static_cast<UINT8>(network.prefix_length);
    to->conditionValue.type = FWP_V6_ADDR_MASK;
    to->conditionValue.v6AddrMask = &value;
    return;
  }
  v4_.push_back({.addr = network.address.to_v4().to_uint(), .mask = Mask(network.prefix_length)});
  to->conditionValue.type = FWP_V4_ADDR_MASK;
  to->conditionValue.v4AddrMask = &v4_.back();
}

void NativeFilter::AddPorts(const PortRange& ports, FWPM_FILTER_CONDITION0* to) {
  if (ports.first == ports.last) {
    to->conditionValue.type = FWP_UINT16;
    to->conditionValue.uint16 = ports.first;
    return;
  }
  FWP_RANGE0& range = ranges_.emplace_back();
  range.valueLow.type = FWP_UINT16;
  range.valueLow.uint16 = ports.first;
  range.valueHigh.type = FWP_UINT16;
  range.valueHigh.uint16 = ports.last;
  to->matchType = FWP_MATCH_RANGE;
  to->conditionValue.type = FWP_RANGE_TYPE;
  to->conditionValue.rangeValue = &range;
}

// As FwpmGetAppIdFromFileName0 makes it: UTF-16 with its final zero.
void NativeFilter::AddProgram(const std::string& path, FWPM_FILTER_CONDITION0* to) {
  std::wstring& text = texts_.emplace_back(Wide(path));
  blobs_.push_back({.size = static_cast<UINT32>((text.size() + 1) * sizeof(wchar_t)),
                    .data = reinterpret_cast<UINT8*>(text.data())});
  to->conditionValue.type = FWP_BYTE_BLOB_TYPE;
  to->conditionValue.byteBlob = &blobs_.back();
}

absl::Status NativeFilter::AddService(const std::string& sid, FWPM_FILTER_CONDITION0* to) {
  CORDON_ASSIGN_OR_RETURN(auto descriptor, SecurityDescriptor::Parse(ServiceDescriptor(sid).c_str()));
  PSECURITY_DESCRIPTOR const bytes = descriptor->Get();
  blobs_.push_back({.size = GetSecurityDescriptorLength(bytes), .data = static_cast<UINT8*>(bytes)});
  descriptors_.push_back(std::move(descriptor));
  to->conditionValue.type = FWP_SECURITY_DESCRIPTOR_TYPE;
  to->conditionValue.sd = &blobs_.back();
  return absl::OkStatus();
}

Filter FromNative(const FWPM_FILTER0& native, Layer layer) {
  Filter filter{
      .name = native.displayData.name == nullptr ? "" : Narrow(native.displayData.name),
      .layer = layer,
      .lifetime = (native.flags & kFilterBootTime) != 0 ? Lifetime::kBootTime : Lifetime::kPersistent,
      .action = ActionOf(native),
      .weight = WeightOf(native.weight),
      .conditions = {}};
  for (UINT32 at = 0; at < native.numFilterConditions; ++at)
    filter.conditions.push_back(FromNative(native.filterCondition[at]));
  return filter;
}

}  // namespace cordon::platform::wfp
