#include "platform/linux/links/link_news.h"

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

namespace cordon::platform {
namespace {

struct Attributes {
  std::string name;
  bool moved = false;
  bool on_another = false;       // it is one end of a cable, or sits upon an interface
  bool other_elsewhere = false;  // and that other interface is in another namespace
};

int Take(const nlattr* attribute, void* data) {
  auto* const attributes = static_cast<Attributes*>(data);
  switch (mnl_attr_get_type(attribute) & NLA_TYPE_MASK) {
    case IFLA_IFNAME:
      if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0) {
        attributes->name = mnl_attr_get_str(attribute);
      }
      break;
    case IFLA_NEW_NETNSID:
      attributes->moved = true;
      break;
    case IFLA_LINK:
      attributes->on_another =
          mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0 && mnl_attr_get_u32(attribute) != 0;
      break;
    case IFLA_LINK_NETNSID:
      attributes->other_elsewhere = true;
      break;
    default:
      break;
  }
  return MNL_CB_OK;
}

}  // namespace

std::optional<LinkNews> ParseLinkNews(const void* message, size_t bytes) {
  const auto* const head = static_cast<const nlmsghdr*>(message);
  if (bytes < sizeof(nlmsghdr) || !mnl_nlmsg_ok(head, static_cast<int>(bytes)) ||
      (head->nlmsg_type != RTM_NEWLINK && head->nlmsg_type != RTM_DELLINK) ||
      mnl_nlmsg_get_payload_len(head) < sizeof(ifinfomsg)) {
    return std::nullopt;
  }
  Attributes attributes;
  mnl_attr_parse(head, sizeof(ifinfomsg), Take, &attributes);
  const bool is_there = head->nlmsg_type == RTM_NEWLINK;
  const bool other_stays = attributes.on_another && !attributes.other_elsewhere;
  return LinkNews{.name = attributes.name,
                  .is_there = is_there,
                  .took_a_way_out = !is_there && attributes.moved && !other_stays};
}

}  // namespace cordon::platform
