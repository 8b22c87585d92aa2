#include "platform/linux/resolvers/resolv_conf.h"

#include <algorithm>
#include <array>
#include <string>

#include "common/base/status.h"
#include "platform/api/files.h"
#include "platform/api/resolvers.h"

namespace cordon::platform {
namespace {

constexpr size_t kMaxFileBytes = 64 * 1024;
constexpr uint16_t kDnsPort = 53;
constexpr std::string_view kBlanks = " \t\r";

// The first one that names a server beyond this host counts. The others are where systemd-resolved,
// NetworkManager and resolvconf keep whom they ask, while /etc/resolv.conf names them alone.
constexpr std::array kFiles = {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf",
                               "/run/NetworkManager/no-stub-resolv.conf"};

std::string_view NextWord(std::string_view* line) {
  line->remove_prefix(std::min(line->find_first_not_of(kBlanks), line->size()));
  const std::string_view word = line->substr(0, line->find_first_of(kBlanks));
  line->remove_prefix(word.size());
  return word;
}

bool IsBeyondThisHost(const boost::asio::ip::address& address) {
  if (address.is_loopback() || address.is_unspecified() || address.is_multicast()) return false;
  return !address.is_v6() || !address.to_v6().is_link_local();
}

}  // namespace

std::vector<Endpoint> ParseResolvConf(std::string_view text) {
  std::vector<Endpoint> resolvers;
  while (!text.empty() && resolvers.size() < kMaxResolvers) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (NextWord(&line) != "nameserver") continue;
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(std::string(NextWord(&line)), error);
    const Endpoint resolver{.address = address, .port = kDnsPort};
    if (error || !IsBeyondThisHost(address) || std::ranges::find(resolvers, resolver) != resolvers.end())
      continue;
    resolvers.push_back(resolver);
  }
  return resolvers;
}

absl::StatusOr<std::vector<Endpoint>> ReadResolvers() {
  absl::Status why = absl::NotFoundError("no resolv.conf");
  for (const char* const file : kFiles) {
    const absl::StatusOr<std::string> text = ReadFileBounded(file, kMaxFileBytes);
    if (!text.ok()) {
      if (!absl::IsNotFound(text.status())) why = text.status();
      continue;
    }
    why = absl::OkStatus();
    if (std::vector<Endpoint> resolvers = ParseResolvConf(*text); !resolvers.empty()) return resolvers;
  }
  CORDON_RETURN_IF_ERROR(why);
  return std::vector<Endpoint>();
}

}  // namespace cordon::platform
