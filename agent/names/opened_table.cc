#include "agent/names/opened_table.h"

#include <algorithm>
#include <utility>

#include "common/base/clock.h"
#include "common/base/status.h"

namespace cordon::agent {
namespace {

bool InAny(const std::vector<Network>& networks, const boost::asio::ip::address& address) {
  return std::ranges::any_of(networks, [&](const Network& network) { return network.Contains(address); });
}

std::vector<Network> Networks(const std::vector<const char*>& texts) {
  std::vector<Network> networks;
  networks.reserve(texts.size());
  for (const char* const text : texts) networks.push_back(ParseNetwork(text).value());
  return networks;
}

// Unspecified, loopback, multicast, reserved and broadcast; IPv4-mapped and -compatible.
bool IsNeverAPeer(const boost::asio::ip::address& address) {
  static const std::vector<Network> never =
      Networks({"0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/96", "::ffff:0:0/96", "ff00::/8"});
  return InAny(never, address);
}

bool IsLinkLocal(const boost::asio::ip::address& address) {
  static const std::vector<Network> local = Networks({"169.254.0.0/16", "fe80::/10"});
  return InAny(local, address);
}

}  // namespace

absl::StatusOr<bool> OpenedTable::Open(const std::string& pattern, const std::vector<Address>& addresses,
                                       uint32_t ttl_seconds, int64_t now) {
  std::map<Address, int64_t>& open = until_[pattern];
  const auto news = static_cast<size_t>(
      std::ranges::count_if(addresses, [&](const Address& address) { return !open.contains(address); }));
  const size_t room_by_name = std::min(open.size(), open.size() + news > kMaxPerName ? news : 0);
  if (size_ + news - room_by_name > kMaxInAll) {
    return absl::ResourceExhaustedError(
        StrCat("the names of the profile have led to ", size_, " addresses; no more are opened"));
  }
  const int64_t seconds = std::clamp(ttl_seconds, kFloorSeconds, kCeilingSeconds) + kGraceSeconds;
  bool changed = false;
  for (const Address& address : addresses) {
    const auto [at, inserted] = open.try_emplace(address, 0);
    at->second = std::max(at->second, now + seconds * kNanosPerSecond);
    changed = changed || inserted;
    size_ += inserted ? 1 : 0;
  }
  // Never one of these: they are about to be handed out.
  const std::set<Address> stay(addresses.begin(), addresses.end());
  while (open.size() > kMaxPerName && open.size() > stay.size()) {
    open.erase(std::ranges::min_element(open, {}, [&](const auto& entry) {
      return std::make_pair(stay.contains(entry.first), entry.second);
    }));
    --size_;
  }
  return changed;
}

void OpenedTable::Extend(const std::string& pattern, Kind kind, uint32_t seconds, int64_t now) {
  const auto found = until_.find(pattern);
  if (found == until_.end()) return;
  for (auto& [address, until] : found->second) {
    if (address.is_v4() == (kind == Kind::kV4)) until = std::max(until, now + seconds * kNanosPerSecond);
  }
}

bool OpenedTable::AnythingDue(int64_t now) const {
  return std::ranges::any_of(until_, [now](const auto& name) {
    return std::ranges::any_of(name.second, [now](const auto& open) { return open.second <= now; });
  });
}

bool OpenedTable::Close(const std::set<Address>& in_use, int64_t now) {
  size_t closed = 0;
  for (auto& [pattern, open] : until_) {
    for (auto& [address, until] : open) {
      if (until <= now && in_use.contains(address)) until = now + kGraceSeconds * kNanosPerSecond;
    }
    closed += std::erase_if(open, [now](const auto& entry) { return entry.second <= now; });
  }
  size_ -= closed;
  return closed > 0;
}

void OpenedTable::Retain(const NameList& list) {
  std::erase_if(until_, [&](const auto& name) { return list.SetsOf(name.first).empty(); });
  size_ = 0;
  for (const auto& [pattern, open] : until_) size_ += open.size();
}

std::vector<platform::NameSet> OpenedTable::Sets(const NameList& list) const {
  std::vector<std::set<Address>> sets(list.SetCount());
  for (const auto& [pattern, open] : until_) {
    for (const size_t set : list.SetsOf(pattern)) {
      for (const auto& [address, until] : open) sets[set].insert(address);
    }
  }
  std::vector<platform::NameSet> result;
  result.reserve(sets.size());
  for (const std::set<Address>& set : sets) result.push_back({.addresses = {set.begin(), set.end()}});
  return result;
}

std::vector<OpenedTable::Address> OpenedTable::AddressesOf(const std::string& pattern) const {
  std::vector<Address> addresses;
  if (const auto found = until_.find(pattern); found != until_.end()) {
    for (const auto& [address, until] : found->second) addresses.push_back(address);
  }
  return addresses;
}

std::vector<OpenedTable::Entry> OpenedTable::Entries() const {
  std::vector<Entry> entries;
  for (const auto& [pattern, open] : until_) {
    for (const auto& [address, until] : open) entries.push_back({pattern, address});
  }
  return entries;
}

bool MayOpen(const boost::asio::ip::address& address, const std::vector<Network>& named_by_rule,
             const std::set<boost::asio::ip::address>& own) {
  if (IsNeverAPeer(address)) return false;
  if (!IsLinkLocal(address) && !own.contains(address)) return true;
  return InAny(named_by_rule, address);
}

}  // namespace cordon::agent
