#include "platform/linux/packet_filter/table_finder.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <array>

#include "common/base/status.h"

namespace cordon::platform {

absl::StatusOr<bool> TableFinder::Stands(std::string_view family, const std::string& name) {
  CORDON_RETURN_IF_ERROR(opened_);
  std::array<char, 256> buffer{};
  nlmsghdr* const request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETTABLE;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  auto* const header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(nfgenmsg)));
  header->nfgen_family = family == "inet" ? NFPROTO_INET : NFPROTO_NETDEV;
  header->version = NFNETLINK_V0;
  mnl_attr_put_strz(request, NFTA_TABLE_NAME, name.c_str());
  const absl::Status status = socket_.Run(request, "look for the rules in the kernel (needs CAP_NET_ADMIN)");
  if (absl::IsNotFound(status)) return false;
  CORDON_RETURN_IF_ERROR(status);
  return true;
}

}  // namespace cordon::platform
