#include "platform/linux/connections/listeners.h"

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <array>

#include "common/base/status.h"
#include "platform/linux/connections/diag.h"
#include "platform/linux/system/netlink.h"

namespace cordon::platform {

absl::StatusOr<std::vector<Listener>> ListTcpListeners() {
  NetlinkSocket diag(NETLINK_SOCK_DIAG);
  std::vector<Listener> listeners;
  for (const uint8_t family : {uint8_t{AF_INET}, uint8_t{AF_INET6}}) {
    std::array<char, 512> buffer{};
    nlmsghdr* const request = mnl_nlmsg_put_header(buffer.data());
    request->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    auto* const filter =
        static_cast<inet_diag_req_v2*>(mnl_nlmsg_put_extra_header(request, sizeof(inet_diag_req_v2)));
    filter->sdiag_family = family;
    filter->sdiag_protocol = IPPROTO_TCP;
    filter->idiag_states = 1U << TCP_LISTEN;
    CORDON_RETURN_IF_ERROR(diag.Run(request, "list the listening sockets", [&](const nlmsghdr* message) {
      const auto socket = ParseDiagSocket(mnl_nlmsg_get_payload(message), mnl_nlmsg_get_payload_len(message),
                                          FlowProtocol::kTcp, 0);
      if (socket) listeners.push_back({socket->connection.local.port, socket->connection.owner_key});
    }));
  }
  return listeners;
}

}  // namespace cordon::platform
