#include "platform/linux/bypasses/traffic_control.h"

#include <libmnl/libmnl.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cstring>

namespace cordon::platform {
namespace {

constexpr std::array<const char*, 11> kRewriting = {"mirred",  "pedit", "nat",  "bpf", "ct",        "skbmod",
                                                    "skbedit", "vlan",  "mpls", "ife", "tunnel_key"};

struct Attributes {
  const nlattr* kind = nullptr;
  const nlattr* options = nullptr;
};

int Keep(const nlattr* attribute, void* data) {
  auto* const attributes = static_cast<Attributes*>(data);
  if (mnl_attr_get_type(attribute) == TCA_KIND) attributes->kind = attribute;
  if (mnl_attr_get_type(attribute) == TCA_OPTIONS) attributes->options = attribute;
  return MNL_CB_OK;
}

}  // namespace

std::string RewritingAction(std::string_view options) {
  // Each kind of filter nests its actions elsewhere, but all of them name an action by an attribute of type
  // TCA_ACT_KIND: its very bytes are looked for.
  for (const char* const action : kRewriting) {
    const size_t size = std::strlen(action) + 1;
    const nlattr head{.nla_len = static_cast<uint16_t>(sizeof(nlattr) + size), .nla_type = TCA_ACT_KIND};
    std::string bytes(sizeof(head), '\0');
    std::memcpy(bytes.data(), &head, sizeof(head));
    bytes.append(action, size);
    if (options.find(bytes) != std::string_view::npos) return action;
  }
  return {};
}

std::optional<TrafficFilter> ParseTrafficFilter(const void* payload, size_t bytes) {
  if (bytes < sizeof(tcmsg)) return std::nullopt;
  tcmsg head{};
  std::memcpy(&head, payload, sizeof(head));
  Attributes attributes;
  mnl_attr_parse_payload(static_cast<const char*>(payload) + MNL_ALIGN(sizeof(tcmsg)),
                         bytes - MNL_ALIGN(sizeof(tcmsg)), Keep, &attributes);
  TrafficFilter filter{.interface_index = static_cast<uint32_t>(head.tcm_ifindex), .kind = "", .action = ""};
  if (attributes.kind != nullptr && mnl_attr_validate(attributes.kind, MNL_TYPE_NUL_STRING) >= 0) {
    filter.kind = mnl_attr_get_str(attributes.kind);
  }
  if (attributes.options != nullptr) {
    filter.action = RewritingAction({static_cast<const char*>(mnl_attr_get_payload(attributes.options)),
                                     static_cast<size_t>(mnl_attr_get_payload_len(attributes.options))});
  }
  if (filter.kind == "bpf" && filter.action.empty()) filter.action = "a program of its own";
  if (filter.kind.empty()) return std::nullopt;
  return filter;
}

}  // namespace cordon::platform
