#include "platform/linux/links/link_table.h"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <array>

#include "common/base/status.h"

namespace cordon::platform {
namespace {

int TakeName(const nlattr* attribute, void* data) {
  if (mnl_attr_get_type(attribute) == IFLA_IFNAME && mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0) {
    *static_cast<std::string*>(data) = mnl_attr_get_str(attribute);
  }
  return MNL_CB_OK;
}

}  // namespace

absl::StatusOr<std::vector<Link>> LinkTable::List() {
  std::array<char, 256> buffer{};
  nlmsghdr* const request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = RTM_GETLINK;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  auto* const family = static_cast<rtgenmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtgenmsg)));
  family->rtgen_family = AF_UNSPEC;
  std::vector<Link> links;
  CORDON_RETURN_IF_ERROR(socket_.Run(request, "list the network interfaces", [&](const nlmsghdr* message) {
    if (mnl_nlmsg_get_payload_len(message) < sizeof(ifinfomsg)) return;
    const auto* const info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
    Link link{.name = "",
              .index = static_cast<uint32_t>(info->ifi_index),
              .loopback = (info->ifi_flags & IFF_LOOPBACK) != 0};
    mnl_attr_parse(message, sizeof(ifinfomsg), TakeName, &link.name);
    links.push_back(std::move(link));
  }));
  return links;
}

}  // namespace cordon::platform
