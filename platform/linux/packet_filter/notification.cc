#include "platform/linux/packet_filter/notification.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace cordon::platform {
namespace {

// In every message but those of a generation, attribute 1 is the name of the table.
constexpr uint16_t kTableAttribute = 1;
static_assert(NFTA_TABLE_NAME == kTableAttribute && NFTA_CHAIN_TABLE == kTableAttribute &&
              NFTA_RULE_TABLE == kTableAttribute && NFTA_SET_TABLE == kTableAttribute &&
              NFTA_SET_ELEM_LIST_TABLE == kTableAttribute && NFTA_OBJ_TABLE == kTableAttribute &&
              NFTA_FLOWTABLE_TABLE == kTableAttribute);
constexpr size_t kAttributesKept = 4;

struct Attributes {
  std::array<const nlattr*, kAttributesKept> at{};
};

int Keep(const nlattr* attribute, void* data) {
  const uint16_t type = mnl_attr_get_type(attribute);
  if (type < kAttributesKept) static_cast<Attributes*>(data)->at[type] = attribute;
  return MNL_CB_OK;
}

std::string TextOf(const nlattr* attribute) {
  if (attribute == nullptr) return {};
  const auto* const text = static_cast<const char*>(mnl_attr_get_payload(attribute));
  return {text, strnlen(text, mnl_attr_get_payload_len(attribute))};
}

uint32_t NumberOf(const nlattr* attribute) {
  uint32_t number = 0;
  if (attribute == nullptr || mnl_attr_get_payload_len(attribute) != sizeof(number)) return 0;
  std::memcpy(&number, mnl_attr_get_payload(attribute), sizeof(number));
  return ntohl(number);
}

bool IsCordons(std::string_view table) {
  return table == "cordon" || table.starts_with("cordon-");
}

}  // namespace

size_t NotificationReader::ReadOne(const char* bytes, size_t size, std::optional<GenerationNotice>* notice) {
  // Messages stand at multiples of four bytes in a buffer that the caller has aligned.
  const auto* const message = reinterpret_cast<const nlmsghdr*>(bytes);
  if (size < sizeof(nlmsghdr) || !mnl_nlmsg_ok(message, static_cast<int>(size))) return 0;
  const size_t step = std::min<size_t>(MNL_ALIGN(message->nlmsg_len), size);
  if (message->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
      mnl_nlmsg_get_payload_len(message) < sizeof(nfgenmsg)) {
    return step;
  }
  Attributes attributes;
  mnl_attr_parse(message, sizeof(nfgenmsg), Keep, &attributes);
  if ((message->nlmsg_type & 0xff) != NFT_MSG_NEWGEN) {
    // What the kernel does by itself (an interface has gone, an element timed out) comes from port 0, without
    // a notice of its own: it is no part of the next transaction.
    of_cordon_ = of_cordon_ || (message->nlmsg_pid != 0 && IsCordons(TextOf(attributes.at[kTableAttribute])));
    return step;
  }
  *notice = GenerationNotice{.pid = NumberOf(attributes.at[NFTA_GEN_PROC_PID]),
                             .process_name = TextOf(attributes.at[NFTA_GEN_PROC_NAME]),
                             .of_cordon = of_cordon_};
  of_cordon_ = false;
  return step;
}

}  // namespace cordon::platform
