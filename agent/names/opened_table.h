#pragma once

#include <absl/status/statusor.h>

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/names/name_list.h"
#include "platform/api/packet_filter.h"

namespace cordon::agent {

// Which addresses are open, for which listed names, and until when. Pure; times are of Clock::BootNanos.
//
// An address stays open for the life of the record that named it, at least kFloorSeconds, plus kGraceSeconds
// for programs that hold it a little longer than they may; and for as long as a live flow uses it.
class OpenedTable {
 public:
  using Address = boost::asio::ip::address;

  static constexpr size_t kMaxPerName = 256;  // of the ones before, those that would lapse first make room
  static constexpr size_t kMaxInAll = 8'192;  // above it, nothing more is opened
  static constexpr uint32_t kFloorSeconds = 60;
  static constexpr uint32_t kCeilingSeconds = 3'600;  // no record is believed for longer; clients are told so
  static constexpr uint32_t kGraceSeconds = 120;

  // Opens `addresses`, at most kMaxPerName, for a listed name or wildcard: all of them are open then, however
  // soon they lapse. True when one is new. RESOURCE_EXHAUSTED when the table is full: then none was opened.
  absl::StatusOr<bool> Open(const std::string& pattern, const std::vector<Address>& addresses,
                            uint32_t ttl_seconds, int64_t now);

  // What is open for `pattern`, of the kind that nobody could be asked for, stays so for another `seconds`.
  // The other kind may be answered all the while, and its old addresses are somebody else's by then.
  enum class Kind : uint8_t { kV4, kV6 };
  void Extend(const std::string& pattern, Kind kind, uint32_t seconds, int64_t now);

  // True when something has lapsed by `now`, so that it is worth while to find out which flows live.
  bool AnythingDue(int64_t now) const;
  // Closes what has lapsed and is in no live flow. True when something was closed.
  bool Close(const std::set<Address>& in_use, int64_t now);

  // Forgets names that `list` does not have.
  void Retain(const NameList& list);

  // For FilterPolicy::name_sets: sorted, without repeats.
  std::vector<platform::NameSet> Sets(const NameList& list) const;
  std::vector<Address> AddressesOf(const std::string& pattern) const;

  struct Entry {
    std::string pattern;
    Address address;
  };
  std::vector<Entry> Entries() const;
  size_t Size() const { return size_; }

 private:
  std::map<std::string, std::map<Address, int64_t>, std::less<>> until_;
  size_t size_ = 0;
};

// Whether an address may be opened because a name leads to it (DNS rebinding): never the unspecified,
// loopback, multicast and reserved ones nor IPv4 in IPv6's clothes; link-local ones and the host's own only
// when the rule's own networks name them.
bool MayOpen(const boost::asio::ip::address& address, const std::vector<Network>& named_by_rule,
             const std::set<boost::asio::ip::address>& own);

}  // namespace cordon::agent
