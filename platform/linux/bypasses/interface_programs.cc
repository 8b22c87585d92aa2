#include "platform/linux/bypasses/interface_programs.h"

#include <bpf/bpf.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "common/base/status.h"
#include "platform/linux/bypasses/traffic_control.h"

namespace cordon::platform {
namespace {

// linux/bpf.h of Debian 12 does not know them yet (Linux 6.6).
constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
constexpr auto kTcxEgress = static_cast<bpf_attach_type>(47);

struct LinkFacts {
  std::string name;
  bool xdp = false;
};

int TakeXdp(const nlattr* attribute, void* data) {
  const uint16_t type = mnl_attr_get_type(attribute) & NLA_TYPE_MASK;
  if (type == IFLA_XDP_ATTACHED && mnl_attr_get_payload_len(attribute) >= 1) {
    *static_cast<bool*>(data) = mnl_attr_get_u8(attribute) != XDP_ATTACHED_NONE;
  }
  return MNL_CB_OK;
}

int TakeLink(const nlattr* attribute, void* data) {
  auto* const link = static_cast<LinkFacts*>(data);
  const uint16_t type = mnl_attr_get_type(attribute) & NLA_TYPE_MASK;
  if (type == IFLA_IFNAME && mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0) {
    link->name = mnl_attr_get_str(attribute);
  }
  if (type == IFLA_XDP) mnl_attr_parse_nested(attribute, TakeXdp, &link->xdp);
  return MNL_CB_OK;
}

// An interface and a place on it where filters of traffic control hang.
using Place = std::pair<uint32_t, uint32_t>;
using Links = std::map<uint32_t, LinkFacts>;

absl::StatusOr<Links> ListLinks(NetlinkSocket& route) {
  Links links;
  std::array<char, 256> buffer{};
  nlmsghdr* const request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = RTM_GETLINK;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  auto* const family = static_cast<rtgenmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtgenmsg)));
  family->rtgen_family = AF_UNSPEC;
  CORDON_RETURN_IF_ERROR(route.Run(request, "list the network interfaces", [&](const nlmsghdr* message) {
    if (mnl_nlmsg_get_payload_len(message) < sizeof(ifinfomsg)) return;
    const auto* const info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
    mnl_attr_parse(message, sizeof(ifinfomsg), TakeLink, &links[static_cast<uint32_t>(info->ifi_index)]);
  }));
  return links;
}

absl::Status Dump(NetlinkSocket& route, uint16_t type, const Place& place,
                  const std::function<void(const nlmsghdr*)>& each) {
  std::array<char, 256> buffer{};
  nlmsghdr* const request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = type;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  auto* const tc = static_cast<tcmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(tcmsg)));
  tc->tcm_family = AF_UNSPEC;
  tc->tcm_ifindex = static_cast<int>(place.first);
  tc->tcm_parent = place.second;
  return route.Run(request, "list traffic control", each);
}

absl::StatusOr<std::set<Place>> ListPlaces(NetlinkSocket& route) {
  std::set<Place> places;
  CORDON_RETURN_IF_ERROR(Dump(route, RTM_GETQDISC, {0, 0}, [&](const nlmsghdr* message) {
    if (mnl_nlmsg_get_payload_len(message) < sizeof(tcmsg)) return;
    const auto* const tc = static_cast<const tcmsg*>(mnl_nlmsg_get_payload(message));
    const auto index = static_cast<uint32_t>(tc->tcm_ifindex);
    if (tc->tcm_handle != 0) places.insert({index, tc->tcm_handle});
    if (tc->tcm_parent != TC_H_INGRESS) return;  // of both ingress and clsact
    places.insert({index, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)});
    places.insert({index, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)});
  }));
  return places;
}

// BPF programs that hang on the interface by themselves (Linux 6.6).
bool HasTcx(uint32_t index) {
  return std::ranges::any_of(std::array{kTcxIngress, kTcxEgress}, [&](bpf_attach_type type) {
    std::array<uint32_t, 8> ids{};
    auto count = static_cast<uint32_t>(ids.size());
    const int queried = bpf_prog_query(static_cast<int>(index), type, 0, nullptr, ids.data(), &count);
    return (queried == 0 || queried == -ENOSPC) && count > 0;
  });
}

}  // namespace

absl::StatusOr<std::vector<InterfaceProgram>> ListInterfacePrograms(NetlinkSocket& route) {
  CORDON_ASSIGN_OR_RETURN(const Links links, ListLinks(route));
  CORDON_ASSIGN_OR_RETURN(const std::set<Place> places, ListPlaces(route));
  std::vector<InterfaceProgram> found;
  const auto add = [&](uint32_t index, std::string what, bool may_bypass) {
    const auto link = links.find(index);
    InterfaceProgram program{.interface_index = index,
                             .interface = link == links.end() ? "?" : link->second.name,
                             .what = std::move(what),
                             .may_bypass = may_bypass};
    if (std::ranges::find(found, program) == found.end()) found.push_back(std::move(program));
  };
  for (const auto& [index, link] : links) {
    if (link.xdp) add(index, "an XDP program", true);
    if (HasTcx(index)) add(index, "a BPF program of traffic control", true);
  }
  for (const Place& place : places) {
    const absl::Status listed = Dump(route, RTM_GETTFILTER, place, [&](const nlmsghdr* message) {
      const auto filter =
          ParseTrafficFilter(mnl_nlmsg_get_payload(message), mnl_nlmsg_get_payload_len(message));
      if (!filter.has_value()) return;
      const std::string action = filter->action.empty() ? "" : StrCat(", ", filter->action);
      add(filter->interface_index, StrCat("a traffic control filter (", filter->kind, action, ")"),
          !filter->action.empty());
    });
    // A place where nothing can hang answers with an error.
    if (absl::IsPermissionDenied(listed)) return listed;
  }
  return found;
}

}  // namespace cordon::platform
