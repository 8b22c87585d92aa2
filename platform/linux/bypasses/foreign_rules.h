#pragma once

// The pure half of looking at other people's nftables rules: text as `nft list` prints it, to facts.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cordon::platform {

// A chain that packets meet.
struct BaseChain {
  std::string family;  // "inet", "netdev", …
  std::string table;
  std::string name;
  std::string type;  // "filter", "nat", "route"
  std::string hook;  // "input", "ingress", …
  int64_t priority = 0;
  std::string policy;  // "accept", "drop"; empty: not said
  friend bool operator==(const BaseChain&, const BaseChain&) = default;
};

// From `nft list chains`; Cordon's own tables are left out. Lines of another shape are passed over.
std::vector<BaseChain> ParseBaseChains(std::string_view text);

// True when rules of the chain's table could lead packets past Cordon's: at an interface or a bridge, where
// what they rewrite or send on is not judged again; or before Cordon's chains, where they could give a packet
// the agent's mark.
bool MayBypass(const BaseChain& chain);

struct Rule {
  std::string chain;
  std::string text;
};
// The rules of one table as listed.
std::vector<Rule> ParseRules(std::string_view table_text);

// True for a rule that sends a packet elsewhere, copies it or changes it.
bool Rewrites(std::string_view rule);

}  // namespace cordon::platform
