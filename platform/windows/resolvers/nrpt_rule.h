#pragma once

// The pure half of turning Windows' DNS client to the guard: a rule of its Name Resolution Policy Table, as
// plain data. The values are those that Add-DnsClientNrptRule writes ([MS-GPNRPT] 2.2.2 describes them).

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace cordon::platform::nrpt {

// The client takes rules only from keys that are named as a GUID. Always the same one, so that a rule which a
// killed agent left is found again.
inline constexpr const char* kRuleName = "{0FDFBA69-056F-45E3-888A-FD7C379E3B8A}";

// REG_DWORD, REG_SZ, REG_MULTI_SZ; monostate: of another type, or longer than a rule's would be.
using Data = std::variant<std::monostate, uint32_t, std::string, std::vector<std::string>>;

struct Value {
  std::string name;
  Data data;
  friend bool operator==(const Value&, const Value&) = default;
};

// A rule's values, in the order in which they are written: without the last one it turns nothing.
using Rule = std::vector<Value>;

// Every name is asked of `servers`, and of nobody else.
Rule MakeRule(const std::vector<boost::asio::ip::address>& servers);

// True when they hold the same, in whatever order.
bool Same(const Rule& a, const Rule& b);

// A line for each value, as the registry would show it.
std::string Describe(const Rule& rule);

// What decides beside Cordon's rule.
struct Surroundings {
  bool client_runs = false;                // the service Dnscache
  bool group_policy = false;               // group policy's table exists, if only as an empty key
  std::vector<std::string> foreign_names;  // namespaces of others' rules in the local table
  uint32_t doh_policy = 0;                 // group policy's DoHPolicy; 3: nothing but DNS over HTTPS
};

// What keeps the rule from being asked for every name, one sentence each.
std::vector<std::string> Obstacles(const Surroundings& around);

}  // namespace cordon::platform::nrpt
