#pragma once

// What kNoLateral blocks, on every operating system: the ports by which intruders move between the machines
// of a network, to and from private networks. docs/levels.md names them one by one.

#include <array>
#include <string_view>
#include <vector>

#include "common/base/network.h"
#include "platform/api/packet_filter.h"

namespace cordon::platform {

// SSH, Telnet, RPC endpoint mapper, NetBIOS, SMB, rexec/rlogin/rsh, RPC over HTTP, RDP, Radmin, pcAnywhere,
// VNC + TeamViewer 5938 + WinRM 5985-5986 (5800-5999), DameWare, AnyDesk, WinRM's old listener.
inline constexpr PortRange kLateralTcp[] = {
    {22, 22},     {23, 23},     {135, 135},   {139, 139},   {445, 445},   {512, 514},   {593, 593},
    {3389, 3389}, {4899, 4899}, {5631, 5631}, {5800, 5999}, {6129, 6129}, {7070, 7070}, {47001, 47001}};

// RPC, NetBIOS, SMB, RDP, pcAnywhere, TeamViewer.
inline constexpr PortRange kLateralUdp[] = {{135, 135},   {137, 139},   {445, 445},
                                            {3389, 3389}, {5632, 5632}, {5938, 5938}};

// Systems give clients ports from here on: a lateral port above is not taken as the port a reply comes from.
inline constexpr uint16_t kFirstEphemeralPort = 32768;

// RFC 1918, link-local, shared (carrier-grade NAT) and unique local addresses.
inline constexpr std::array<std::string_view, 7> kPrivateNetworkTexts = {
    "10.0.0.0/8",    "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
    "100.64.0.0/10", "fc00::/7",      "fe80::/10"};

inline std::vector<Network> PrivateNetworks() {
  std::vector<Network> networks;
  networks.reserve(kPrivateNetworkTexts.size());
  for (const std::string_view text : kPrivateNetworkTexts) networks.push_back(ParseNetwork(text).value());
  return networks;
}

}  // namespace cordon::platform
