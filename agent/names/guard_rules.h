#pragma once

// What the guard does with a query, before anybody is asked. Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/names/dns_message.h"
#include "agent/names/name_list.h"

namespace cordon::agent {

struct QueryVerdict {
  enum Kind : uint8_t {
    kDrop,   // no query: an answer to it could start a circle
    kReply,  // answered here, with `reply`; no byte of it leaves the host
    kAsk,    // a listed name's addresses are asked for
  };
  Kind kind = kDrop;
  std::string reply;
  DnsQuery query;
  NameList::Match match;
};

// Refuses what is not listed at once; HTTPS and SVCB of listed names have no records here, so that clients go
// on to the addresses; other types are refused: text and keys are what tunnels carry.
QueryVerdict JudgeQuery(std::string_view bytes, const NameList& list);

// How many bytes a client takes as one datagram.
size_t DatagramLimit(const DnsQuery& query);

// Slows down questions for names that only a wildcard lists: each can carry some bytes out of the host.
class WildcardBudget {
 public:
  static constexpr int kBurst = 60;
  static constexpr int kPerMinute = 60;

  // False when there have been too many.
  bool Spend(int64_t now_nanos);

 private:
  int64_t filled_at_ = 0;
  double tokens_ = kBurst;
};

}  // namespace cordon::agent
