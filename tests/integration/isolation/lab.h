#pragma once

#include <memory>
#include <string>

#include "platform/api/packet_filter.h"
#include "tests/support/net_namespace.h"
#include "tests/support/policies.h"

namespace cordon::testing {

// A host under isolation and everything it may leak through:
//
//   container ── c0 [ host ] up0 ──── eth0 [ peer ]        routed, and a macvlan of `guest` on up0
//                          [ host ] br1(up1, b0) ── eth1 [ peer ]     `bridged` sits on the other end of b0
struct Lab {
  Lab() {
    ConnectByVeth({host, "up0", {"10.9.0.1/24", "fd09::1/64"}},
                  {peer, "eth0", {"10.9.0.2/24", "fd09::2/64"}});
    ConnectByVeth({host, "c0", {"10.8.0.1/24", "fd08::1/64"}},
                  {container, "eth0", {"10.8.0.2/24", "fd08::2/64"}});
    ConnectByVeth({host, "up1", {}}, {peer, "eth1", {"10.7.0.2/24", "fd07::2/64"}});
    ConnectByVeth({host, "b0", {}}, {bridged, "eth0", {"10.7.0.3/24", "fd07::3/64"}});
    AddBridge({host, "br1", {"10.7.0.1/24", "fd07::1/64"}}, {"up1", "b0"});
    AddMacvlan(host, "up0", {guest, "mv0", {"10.9.0.3/24", "fd09::3/64"}});
    host.SetSysctl("net/ipv4/ip_forward", "1");
    host.SetSysctl("net/ipv6/conf/all/forwarding", "1");
    container.Ip("route add default via 10.8.0.1");
    container.Ip("route add default via fd08::1");
    peer.Ip("route add 10.8.0.0/24 via 10.9.0.1");
    peer.Ip("route add fd08::/64 via fd09::1");
    const InNetNamespace inside(host);
    filter = platform::MakePacketFilter();
  }

  NetNamespace host{"host"};
  NetNamespace peer{"peer"};
  NetNamespace container{"cont"};
  NetNamespace bridged{"brid"};
  NetNamespace guest{"macv"};
  std::unique_ptr<platform::PacketFilter> filter;
};

}  // namespace cordon::testing
