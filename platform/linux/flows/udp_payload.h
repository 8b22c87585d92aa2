#pragma once

#include <optional>
#include <string_view>

namespace cordon::platform {

// What a UDP datagram carries, from an IP packet (version 4 or 6 without extension headers) that begins
// `packet`. Nothing when it is no such thing, a fragment, or cut short. Pure; the bytes are the network's.
std::optional<std::string_view> UdpPayload(std::string_view packet);

}  // namespace cordon::platform
