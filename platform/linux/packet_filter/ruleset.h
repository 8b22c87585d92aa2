#pragma once

// The pure half of the Linux packet filter: policy and uplinks to nftables rules. What each level opens, with
// the reasons, is in docs/levels.md.

#include <string>
#include <vector>

#include "platform/api/packet_filter.h"

namespace cordon::platform {

struct Chain {
  std::string name;
  std::string
      hook;  // "type filter hook input priority -500; policy accept;"; empty for a chain that is jumped to
  std::vector<std::string> rules;  // as `nft list` prints them, counters without numbers
  friend bool operator==(const Chain&, const Chain&) = default;
};

struct Table {
  std::string family;  // "inet" or "netdev"
  std::string
      header;  // anything before the chains: flags, sets, other objects. Cordon's own tables have none
  std::vector<Chain> chains;
  friend bool operator==(const Table&, const Table&) = default;
};

// An interface other than loopback.
struct Uplink {
  std::string name;
  uint32_t index = 0;
};

// The tables `inet cordon` and `netdev cordon`; none for kObserve. Equal input gives equal output; the order
// of `uplinks` does not matter. Uplinks whose names nftables has no way to write are left out (see CanHook).
std::vector<Table> MakeRuleset(const FilterPolicy& policy, std::vector<Uplink> uplinks);

// False for names with quotation marks and other characters that nftables' grammar has no way to write.
bool CanHook(const Uplink& uplink);

// The names of the uplink's chains in the netdev table.
std::string IngressChain(const Uplink& uplink);
std::string EgressChain(const Uplink& uplink);

// The tables as nftables text.
std::string FormatTables(const std::vector<Table>& tables);

// One transaction from whatever stands to `tables`.
std::string FormatTransaction(const std::vector<Table>& tables);

}  // namespace cordon::platform
