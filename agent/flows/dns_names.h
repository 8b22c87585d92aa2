#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cordon::agent {

inline constexpr size_t kMaxSeenDnsBytes = 4'096;
inline constexpr size_t kMaxSeenAddresses = 64;

// A name that somebody asked for, and the addresses that it stands for.
struct SeenName {
  std::string name;  // lower case, without the last dot
  std::vector<boost::asio::ip::address> addresses;
};

// From a DNS answer that was overheard: the name of its question and the addresses at the end of its chain of
// aliases. Nothing for anything else. Pure; the bytes are the network's (AUT-6).
std::optional<SeenName> ReadOverheardAnswer(std::string_view bytes);

}  // namespace cordon::agent
