#pragma once

#include <absl/status/status.h>

#include <boost/asio/ip/address.hpp>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/base/network.h"

namespace cordon::agent {

// One place to dial.
struct Candidate {
  Endpoint endpoint;
  std::string tls_name;      // what the controller's certificate must carry
  std::string Text() const;  // "name:443 (192.0.2.7)", for people
};

// The controllers' names and their last good addresses. The addresses are on disk, so that a name still leads
// somewhere when DNS is cut or the host starts while it is isolated. Where a controller answered last stays
// in the book whatever a lookup says: a false line in the hosts file must not take the place of it, for the
// rules open what the book has. Not thread-safe.
class AddressBook {
 public:
  static constexpr size_t kMaxAddressesPerName = 8;

  // Reads `file` when it exists; lines that are not an address of one of `controllers` are left out.
  AddressBook(std::filesystem::path file, std::vector<HostPort> controllers);

  // Names among the controllers (not addresses), each once.
  std::vector<std::string> Names() const;

  // A lookup's answer takes the place of what was known, but for the address that answered last. True when
  // that changed something. An empty answer changes nothing. Writing is best effort: the error is for the
  // log.
  bool Learn(const std::string& name, const std::vector<boost::asio::ip::address>& addresses);
  absl::Status Save() const;

  // This one answered: it is dialled first from now on, and stays. True when that is news for the file.
  bool Prefer(const Candidate& candidate);

  // By name, where it answered last.
  const std::map<std::string, boost::asio::ip::address>& Reached() const { return reached_; }

  // In the order in which to dial.
  std::vector<Candidate> Candidates() const;
  std::vector<Endpoint> Endpoints() const;

 private:
  std::filesystem::path file_;
  std::vector<HostPort> controllers_;
  std::map<std::string, std::vector<boost::asio::ip::address>> known_;  // by name
  std::map<std::string, boost::asio::ip::address> reached_;             // by name
  Endpoint preferred_;
};

}  // namespace cordon::agent
