
#include <cstring>
#include <vector>

#include "common/base/status.h"
#include "platform/api/connections.h"
#include "platform/windows/system/text.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform {
namespace {

constexpr DWORD kMostBytes = 64 * 1024 * 1024;

boost::asio::ip::address V4(DWORD address) {
  return boost::asio::ip::address_v4(ntohl(address));
}

boost::asio::ip::address V6(const UCHAR (&address)[16]) {
  boost::asio::ip::address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), address, bytes.size());
  const boost::asio::ip::address_v6 v6(bytes);
  if (v6.is_v4_mapped()) return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, v6);
  return v6;
}

uint16_t Port(DWORD port) {
  return ntohs(static_cast<uint16_t>(port));
}

Connection MakeConnection(Endpoint local, Endpoint remote, DWORD pid) {
  return {.protocol = FlowProtocol::kTcp,
          .local = std::move(local),
          .remote = std::move(remote),
          .agent_owned = pid == GetCurrentProcessId(),
          .owner_key = pid};
}

// Tables are read whole; between asking for the size and reading, rows may have come.
absl::StatusOr<std::vector<char>> ReadTcpTable(ULONG family) {
  DWORD bytes = 64 * 1024;
  DWORD result = ERROR_INSUFFICIENT_BUFFER;
  std::vector<char> buffer;
  while (result == ERROR_INSUFFICIENT_BUFFER && bytes <= kMostBytes) {
    buffer.resize(bytes);
    result = GetExtendedTcpTable(buffer.data(), &bytes, FALSE, family, TCP_TABLE_OWNER_PID_ALL, 0);
  }
  if (result != NO_ERROR) return WindowsError(result, "cannot read the table of connections");
  return buffer;
}

struct Row {
  DWORD state;
  Connection connection;
};

std::vector<Row> RowsV4(const std::vector<char>& buffer) {
  const auto* const table = reinterpret_cast<const MIB_TCPTABLE_OWNER_PID*>(buffer.data());
  std::vector<Row> rows;
  for (DWORD at = 0; at < table->dwNumEntries; ++at) {
    const MIB_TCPROW_OWNER_PID& row = table->table[at];
    rows.push_back(
        {row.dwState, MakeConnection({V4(row.dwLocalAddr), Port(row.dwLocalPort)},
                                     {V4(row.dwRemoteAddr), Port(row.dwRemotePort)}, row.dwOwningPid)});
  }
  return rows;
}

std::vector<Row> RowsV6(const std::vector<char>& buffer) {
  const auto* const table = reinterpret_cast<const MIB_TCP6TABLE_OWNER_PID*>(buffer.data());
  std::vector<Row> rows;
  for (DWORD at = 0; at < table->dwNumEntries; ++at) {
    const MIB_TCP6ROW_OWNER_PID& row = table->table[at];
    rows.push_back(
        {row.dwState, MakeConnection({V6(row.ucLocalAddr), Port(row.dwLocalPort)},
                                     {V6(row.ucRemoteAddr), Port(row.dwRemotePort)}, row.dwOwningPid)});
  }
  return rows;
}

bool Listens(const std::vector<Row>& rows, const Connection& connection) {
  for (const Row& row : rows)
    if (row.state == MIB_TCP_STATE_LISTEN && row.connection.local.port == connection.local.port &&
        (row.connection.local.address.is_unspecified() ||
         row.connection.local.address == connection.local.address))
      return true;
  return false;
}

// UDP is not listed: Windows keeps no peers of datagram sockets.
class WindowsConnectionTable final : public ConnectionTable {
 public:
  absl::StatusOr<std::vector<Connection>> List() override {
    CORDON_ASSIGN_OR_RETURN(const std::vector<char> v4, ReadTcpTable(AF_INET));
    CORDON_ASSIGN_OR_RETURN(const std::vector<char> v6, ReadTcpTable(AF_INET6));
    std::vector<Row> rows = RowsV4(v4);
    for (Row& row : RowsV6(v6)) rows.push_back(std::move(row));
    std::vector<Connection> connections;
    for (const Row& row : rows) {
      if (row.state == MIB_TCP_STATE_LISTEN || row.state == MIB_TCP_STATE_CLOSED ||
          row.state == MIB_TCP_STATE_TIME_WAIT || row.state == MIB_TCP_STATE_DELETE_TCB)
        continue;
      Connection connection = row.connection;
      connection.direction = Listens(rows, connection) ? FlowDirection::kIn : FlowDirection::kOut;
      connections.push_back(std::move(connection));
    }
    return connections;
  }

  absl::Status Reset(const Connection& connection) override {
    // Windows has no call for IPv6; WFP stops the packets all the same.
    if (connection.protocol != FlowProtocol::kTcp || connection.local.address.is_v6())
      return absl::UnimplementedError(
          "Windows ends TCP connections over IPv4 only; the filters stop the others");
    MIB_TCPROW row{};
    row.dwState = MIB_TCP_STATE_DELETE_TCB;
    row.dwLocalAddr = htonl(connection.local.address.to_v4().to_uint());
    row.dwLocalPort = htons(connection.local.port);
    row.dwRemoteAddr = htonl(connection.remote.address.to_v4().to_uint());
    row.dwRemotePort = htons(connection.remote.port);
    const DWORD result = SetTcpEntry(&row);
    if (result == NO_ERROR) return absl::OkStatus();
    constexpr DWORD kNoSuchConnection = 317;  // what Windows answers for one that is gone
    if (result == ERROR_NOT_FOUND || result == kNoSuchConnection)
      return absl::NotFoundError("the connection is gone");
    return WindowsError(result, "cannot end the connection");
  }

  // WFP asks its filters again for every flow as soon as they change.
  absl::Status ForgetTrackedFlows() override { return absl::OkStatus(); }
};

}  // namespace

std::unique_ptr<ConnectionTable> MakeConnectionTable() {
  return std::make_unique<WindowsConnectionTable>();
}

}  // namespace cordon::platform
