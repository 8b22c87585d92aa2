#include "agent/link/address_book.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "common/base/strings.h"
#include "platform/api/files.h"

namespace cordon::agent {
namespace {

constexpr size_t kMaxFileBytes = 64 * 1024;
// Before the name, on the line of the address that answered last. Whoever knows no such line (an older agent,
// agent/isolation/recovery.cc) takes it for another name's.
constexpr std::string_view kReached = "reached:";

bool IsAddress(const std::string& host) {
  boost::system::error_code error;
  boost::asio::ip::make_address(host, error);
  return !error;
}

}  // namespace

std::string Candidate::Text() const {
  const std::string address = endpoint.address.to_string();
  if (tls_name == address) return FormatEndpoint(endpoint);
  return StrCat(tls_name, ":", endpoint.port, " (", address, ")");
}

AddressBook::AddressBook(std::filesystem::path file, std::vector<HostPort> controllers)
    : file_(std::move(file)), controllers_(std::move(controllers)) {
  const absl::StatusOr<std::string> text = platform::ReadFileBounded(file_, kMaxFileBytes);
  if (!text.ok()) return;  // none yet: the names will be looked up
  const std::vector<std::string> names = Names();
  for (auto [name, address] : ParseAddressBook(*text)) {
    const bool reached = name.starts_with(kReached);
    if (reached) name.erase(0, kReached.size());
    if (std::ranges::find(names, name) == names.end()) continue;
    if (reached) {
      reached_[name] = address;
    } else if (known_[name].size() < kMaxAddressesPerName) {
      known_[name].push_back(address);
    }
  }
}

std::vector<std::string> AddressBook::Names() const {
  std::vector<std::string> names;
  for (const HostPort& controller : controllers_) {
    const bool seen = std::ranges::find(names, controller.host) != names.end();
    if (!IsAddress(controller.host) && !seen) names.push_back(controller.host);
  }
  return names;
}

bool AddressBook::Learn(const std::string& name, const std::vector<boost::asio::ip::address>& addresses) {
  std::vector<boost::asio::ip::address> sorted(addresses);
  std::ranges::sort(sorted);  // the system's order turns round; that is no change
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  if (sorted.empty()) return false;
  const auto last = reached_.find(name);
  const bool keep = last != reached_.end() && std::ranges::find(sorted, last->second) == sorted.end();
  const size_t room = kMaxAddressesPerName - (keep ? 1 : 0);
  if (sorted.size() > room) sorted.resize(room);
  if (keep) sorted.insert(std::ranges::lower_bound(sorted, last->second), last->second);
  if (known_[name] == sorted) return false;
  known_[name] = std::move(sorted);
  return true;
}

absl::Status AddressBook::Save() const {
  std::string text;
  for (const auto& [name, addresses] : known_) {
    for (const auto& address : addresses) StrAppend(&text, name, " ", address.to_string(), "\n");
  }
  for (const auto& [name, address] : reached_)
    StrAppend(&text, kReached, name, " ", address.to_string(), "\n");
  return platform::WriteFileDurably(file_, text, platform::FileAccess::kOwnerOnly);
}

bool AddressBook::Prefer(const Candidate& candidate) {
  preferred_ = candidate.endpoint;
  if (IsAddress(candidate.tls_name)) return false;
  const auto& address = candidate.endpoint.address;
  return std::exchange(reached_[candidate.tls_name], address) != address;
}

std::vector<Candidate> AddressBook::Candidates() const {
  std::vector<Candidate> candidates;
  for (const HostPort& controller : controllers_) {
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(controller.host, error);
    if (!error) {
      candidates.push_back({{address, controller.port}, address.to_string()});
    } else if (const auto entry = known_.find(controller.host); entry != known_.end()) {
      for (const auto& known : entry->second)
        candidates.push_back({{known, controller.port}, controller.host});
    }
  }
  const auto preferred = std::ranges::find(candidates, preferred_, &Candidate::endpoint);
  if (preferred != candidates.end()) std::rotate(candidates.begin(), preferred, preferred + 1);
  return candidates;
}

std::vector<Endpoint> AddressBook::Endpoints() const {
  std::vector<Endpoint> endpoints;
  for (const Candidate& candidate : Candidates()) endpoints.push_back(candidate.endpoint);
  std::sort(endpoints.begin(), endpoints.end(), [](const Endpoint& a, const Endpoint& b) {
    return std::tie(a.address, a.port) < std::tie(b.address, b.port);
  });
  endpoints.erase(std::unique(endpoints.begin(), endpoints.end()), endpoints.end());
  return endpoints;
}

}  // namespace cordon::agent
