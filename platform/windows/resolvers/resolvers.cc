#include "platform/api/resolvers.h"

#include <algorithm>

#include "platform/windows/system/adapters.h"

namespace cordon::platform {
namespace {

// Windows names these where nothing is configured; nobody answers there.
bool IsPlaceholder(const boost::asio::ip::address& address) {
  return address.is_v6() && address.to_string().starts_with("fec0:");
}

}  // namespace

absl::StatusOr<std::vector<Endpoint>> ReadResolvers() {
  const std::vector<Adapter> adapters = ListAdapters();
  if (adapters.empty()) return absl::NotFoundError("the system names no network adapter");
  std::vector<Endpoint> resolvers;
  for (const Adapter& adapter : adapters) {
    if (!adapter.up) continue;
    for (const Endpoint& resolver : adapter.resolvers) {
      if (resolver.address.is_loopback() || IsPlaceholder(resolver.address)) continue;
      if (std::ranges::find(resolvers, resolver) == resolvers.end()) resolvers.push_back(resolver);
    }
  }
  return resolvers;
}

}  // namespace cordon::platform
