#include "platform/windows/system/adapters.h"

#include <cstring>
#include <optional>

#include "platform/windows/system/text.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform {
namespace {

constexpr uint16_t kDnsPort = 53;
constexpr ULONG kFirstTryBytes = 16 * 1024;
constexpr ULONG kMostBytes = 4 * 1024 * 1024;

std::optional<boost::asio::ip::address> ToAddress(const SOCKET_ADDRESS& from) {
  if (from.lpSockaddr == nullptr) return std::nullopt;
  if (from.lpSockaddr->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, from.lpSockaddr, sizeof(v4));
    return boost::asio::ip::address_v4(ntohl(v4.sin_addr.s_addr));
  }
  if (from.lpSockaddr->sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 v6{};
  std::memcpy(&v6, from.lpSockaddr, sizeof(v6));
  boost::asio::ip::address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  return boost::asio::ip::address_v6(bytes);
}

Adapter ToAdapter(const IP_ADAPTER_ADDRESSES& from) {
  Adapter adapter{.name = Narrow(from.FriendlyName == nullptr ? L"" : from.FriendlyName),
                  .loopback = from.IfType == IF_TYPE_SOFTWARE_LOOPBACK,
                  .up = from.OperStatus == IfOperStatusUp,
                  .addresses = {},
                  .resolvers = {}};
  for (const auto* each = from.FirstUnicastAddress; each != nullptr; each = each->Next)
    if (const auto address = ToAddress(each->Address)) adapter.addresses.push_back(*address);
  for (const auto* each = from.FirstDnsServerAddress; each != nullptr; each = each->Next)
    if (const auto address = ToAddress(each->Address)) adapter.resolvers.push_back({*address, kDnsPort});
  return adapter;
}

}  // namespace

std::vector<Adapter> ListAdapters() {
  std::vector<char> buffer;
  ULONG bytes = kFirstTryBytes;
  ULONG result = ERROR_BUFFER_OVERFLOW;
  while (result == ERROR_BUFFER_OVERFLOW && bytes <= kMostBytes) {
    buffer.resize(bytes);
    constexpr ULONG kFlags = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST;
    result = GetAdaptersAddresses(AF_UNSPEC, kFlags, nullptr,
                                  reinterpret_cast<IP_ADAPTER_ADDRESSES*>(buffer.data()), &bytes);
  }
  std::vector<Adapter> adapters;
  if (result != ERROR_SUCCESS) return adapters;
  for (const auto* each = reinterpret_cast<const IP_ADAPTER_ADDRESSES*>(buffer.data()); each != nullptr;
       each = each->Next)
    adapters.push_back(ToAdapter(*each));
  return adapters;
}

}  // namespace cordon::platform
