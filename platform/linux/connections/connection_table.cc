#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <array>

#include "common/base/status.h"
#include "platform/api/connections.h"
#include "platform/linux/connections/diag.h"
#include "platform/linux/system/agent_mark.h"
#include "platform/linux/system/netlink.h"

namespace cordon::platform {
namespace {

// All states but those in which no program holds the socket any more.
constexpr uint32_t kLiveStates = ~((1U << TCP_TIME_WAIT) | (1U << TCP_CLOSE));
constexpr uint32_t kAnyState = ~0U;  // a UDP socket that is not connected counts as closed

nlmsghdr* NewRequest(std::array<char, 512>& buffer, uint16_t type, uint16_t flags) {
  nlmsghdr* const request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = type;
  request->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  return request;
}

class SockDiagTable final : public ConnectionTable {
 public:
  // Both sockets belong to the network namespace that the thread is in now.
  SockDiagTable() : opened_(diag_.Open()), tracking_opened_(tracking_.Open()) {}

  absl::StatusOr<std::vector<Connection>> List() override {
    CORDON_RETURN_IF_ERROR(opened_);
    std::vector<DiagSocket> sockets;
    for (const uint8_t family : {uint8_t{AF_INET}, uint8_t{AF_INET6}}) {
      CORDON_RETURN_IF_ERROR(AddSockets(family, FlowProtocol::kTcp, &sockets));
      CORDON_RETURN_IF_ERROR(AddSockets(family, FlowProtocol::kUdp, &sockets));
    }
    return ConnectionsOf(sockets);
  }

  absl::Status Reset(const Connection& connection) override {
    CORDON_RETURN_IF_ERROR(opened_);
    std::array<char, 512> buffer{};
    nlmsghdr* const request = NewRequest(buffer, SOCK_DESTROY, NLM_F_ACK);
    *static_cast<inet_diag_req_v2*>(mnl_nlmsg_put_extra_header(request, sizeof(inet_diag_req_v2))) =
        DestroyRequest(connection);
    return diag_.Run(request, StrCat("end the connection ", FormatEndpoint(connection.local), " - ",
                                     FormatEndpoint(connection.remote)));
  }

  absl::Status ForgetTrackedFlows() override {
    CORDON_RETURN_IF_ERROR(tracking_opened_);
    std::array<char, 512> buffer{};
    nlmsghdr* const request =
        NewRequest(buffer, (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE, NLM_F_ACK);
    auto* const header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(nfgenmsg)));
    header->nfgen_family = AF_UNSPEC;
    header->version = NFNETLINK_V0;
    return tracking_.Run(request, "clear the connection tracking table");
  }

 private:
  absl::Status AddSockets(uint8_t family, FlowProtocol protocol, std::vector<DiagSocket>* sockets) {
    std::array<char, 512> buffer{};
    nlmsghdr* const request = NewRequest(buffer, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
    auto* const filter =
        static_cast<inet_diag_req_v2*>(mnl_nlmsg_put_extra_header(request, sizeof(inet_diag_req_v2)));
    filter->sdiag_family = family;
    filter->sdiag_protocol = protocol == FlowProtocol::kTcp ? IPPROTO_TCP : IPPROTO_UDP;
    filter->idiag_states = protocol == FlowProtocol::kTcp ? kLiveStates : kAnyState;
    return diag_.Run(request, "list the live connections", [&](const nlmsghdr* message) {
      if (auto socket = ParseDiagSocket(mnl_nlmsg_get_payload(message), mnl_nlmsg_get_payload_len(message),
                                        protocol, kAgentSocketMark)) {
        sockets->push_back(*std::move(socket));
      }
    });
  }

  NetlinkSocket diag_{NETLINK_SOCK_DIAG};
  NetlinkSocket tracking_{NETLINK_NETFILTER};
  absl::Status opened_;
  absl::Status tracking_opened_;
};

}  // namespace

std::unique_ptr<ConnectionTable> MakeConnectionTable() {
  return std::make_unique<SockDiagTable>();
}

}  // namespace cordon::platform
