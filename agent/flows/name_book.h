#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace cordon::agent {

// Which names the host's programs resolved to which addresses, as far as answers were seen. Bounded: the
// addresses that were not seen for the longest are forgotten. What stands here came over the network
// unproven: it tells people what an address was called, and opens nothing. Thread-safe.
class NameBook {
 public:
  static constexpr size_t kMaxAddresses = 4'096;
  static constexpr size_t kMaxNames = 4;  // per address

  void Note(const boost::asio::ip::address& address, const std::string& name);

  // The newest first.
  std::vector<std::string> NamesOf(const boost::asio::ip::address& address) const;
  size_t Size() const;

 private:
  struct Entry {
    std::vector<std::string> names;
    std::list<boost::asio::ip::address>::iterator age;
  };
  mutable std::mutex mutex_;
  std::map<boost::asio::ip::address, Entry> entries_;
  std::list<boost::asio::ip::address> by_age_;  // the oldest first
};

}  // namespace cordon::agent
