#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/names/dns_message.h"

namespace cordon::agent {

// When each listed name is to be looked up by the agent itself, so that its addresses are open before any
// program asks: programs remember addresses from before. Pure; times are of Clock::BootNanos.
class Lookups {
 public:
  static constexpr size_t kAtOnce = 16;

  // Exactly these names from now on, both kinds of address; new ones are due at once.
  void Set(const std::vector<std::string>& names);
  // All are due now: the level or the resolvers have changed.
  void AllDue();

  // Those that are due, as many as may be under way at once; they are under way then.
  std::vector<DnsQuestion> Take(int64_t now);

  void Answered(const DnsQuestion& question, const DnsAnswer& answer, int64_t now);
  void Failed(const DnsQuestion& question, std::string why, int64_t now);

  // One sentence for each name that leads nowhere, a few at most.
  std::vector<std::string> Notes() const;

 private:
  struct Lookup {
    int64_t next = 0;
    int failures = 0;
    bool under_way = false;
    bool answered = false;
    bool has_address = false;
    std::string problem;
  };
  std::map<DnsQuestion, Lookup> lookups_;
};

}  // namespace cordon::agent
