#include "platform/linux/connections/diag.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <utility>

namespace cordon::platform {
namespace {

using boost::asio::ip::address;
using boost::asio::ip::address_v4;
using boost::asio::ip::address_v6;

address AddressOf(const __be32 (&words)[4], uint8_t family) {
  if (family == AF_INET) return address_v4(ntohl(words[0]));
  address_v6::bytes_type bytes;
  static_assert(sizeof(bytes) == sizeof(words));
  std::memcpy(bytes.data(), words, sizeof(words));
  const address_v6 v6(bytes);
  if (v6.is_v4_mapped()) return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, v6);
  return v6;
}

void PutAddress(const address& from, __be32 (&words)[4]) {
  if (from.is_v4()) {
    words[0] = htonl(from.to_v4().to_uint());
  } else {
    const auto bytes = from.to_v6().to_bytes();
    std::memcpy(words, bytes.data(), sizeof(words));
  }
}

// The socket mark among the attributes that follow the fixed part; 0 when there is none.
uint32_t MarkOf(const char* attributes, size_t bytes) {
  while (bytes >= sizeof(nlattr)) {
    nlattr header;
    std::memcpy(&header, attributes, sizeof(header));
    if (header.nla_len < sizeof(nlattr) || header.nla_len > bytes) return 0;
    uint32_t mark = 0;
    if (header.nla_type == INET_DIAG_MARK && header.nla_len == NLA_HDRLEN + sizeof(mark)) {
      std::memcpy(&mark, attributes + NLA_HDRLEN, sizeof(mark));
      return mark;
    }
    const size_t step = std::min<size_t>(NLA_ALIGN(header.nla_len), bytes);
    attributes += step;
    bytes -= step;
  }
  return 0;
}

}  // namespace

std::optional<DiagSocket> ParseDiagSocket(const void* payload, size_t bytes, FlowProtocol protocol,
                                          uint32_t agent_mark) {
  inet_diag_msg message;
  if (bytes < sizeof(message)) return std::nullopt;
  std::memcpy(&message, payload, sizeof(message));
  if (message.idiag_family != AF_INET && message.idiag_family != AF_INET6) return std::nullopt;
  DiagSocket socket;
  Connection& connection = socket.connection;
  connection.protocol = protocol;
  connection.local = {AddressOf(message.id.idiag_src, message.idiag_family), ntohs(message.id.idiag_sport)};
  connection.remote = {AddressOf(message.id.idiag_dst, message.idiag_family), ntohs(message.id.idiag_dport)};
  connection.uid = message.idiag_uid;
  connection.cookie = (uint64_t{message.id.idiag_cookie[1]} << 32) | message.id.idiag_cookie[0];
  connection.interface_index = message.id.idiag_if;
  connection.owner_key = message.idiag_inode;
  const uint32_t mark = MarkOf(static_cast<const char*>(payload) + sizeof(message), bytes - sizeof(message));
  connection.agent_owned = mark == agent_mark;
  if (!connection.agent_owned) connection.program_tag = mark;
  socket.listening = connection.remote.port == 0;
  return socket;
}

std::vector<Connection> ConnectionsOf(const std::vector<DiagSocket>& sockets) {
  std::set<std::pair<FlowProtocol, Endpoint>> accepting;
  for (const DiagSocket& socket : sockets) {
    if (socket.listening) accepting.emplace(socket.connection.protocol, socket.connection.local);
  }
  const auto accepts = [&](const Connection& connection, const address& at) {
    return accepting.contains({connection.protocol, Endpoint{at, connection.local.port}});
  };
  std::vector<Connection> connections;
  for (const DiagSocket& socket : sockets) {
    if (socket.listening) continue;
    Connection connection = socket.connection;
    // An IPv6 wildcard also takes IPv4 connections.
    const bool in = accepts(connection, connection.local.address) || accepts(connection, address_v6::any()) ||
                    (connection.local.address.is_v4() && accepts(connection, address_v4::any()));
    connection.direction = in ? FlowDirection::kIn : FlowDirection::kOut;
    connections.push_back(connection);
  }
  return connections;
}

inet_diag_req_v2 DestroyRequest(const Connection& connection) {
  inet_diag_req_v2 request{};
  request.sdiag_family = connection.local.address.is_v4() ? AF_INET : AF_INET6;
  request.sdiag_protocol = connection.protocol == FlowProtocol::kTcp ? IPPROTO_TCP : IPPROTO_UDP;
  request.idiag_states = ~0U;
  request.id.idiag_sport = htons(connection.local.port);
  request.id.idiag_dport = htons(connection.remote.port);
  PutAddress(connection.local.address, request.id.idiag_src);
  PutAddress(connection.remote.address, request.id.idiag_dst);
  request.id.idiag_if = connection.interface_index;
  request.id.idiag_cookie[0] = static_cast<uint32_t>(connection.cookie);
  request.id.idiag_cookie[1] = static_cast<uint32_t>(connection.cookie >> 32);
  return request;
}

}  // namespace cordon::platform
