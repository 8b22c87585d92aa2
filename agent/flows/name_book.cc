#include "agent/flows/name_book.h"

#include <algorithm>

namespace cordon::agent {

void NameBook::Note(const boost::asio::ip::address& address, const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto [found, added] = entries_.try_emplace(address);
  if (!added) by_age_.erase(found->second.age);
  found->second.age = by_age_.insert(by_age_.end(), address);
  std::vector<std::string>& names = found->second.names;
  std::erase(names, name);
  names.insert(names.begin(), name);
  if (names.size() > kMaxNames) names.pop_back();
  if (entries_.size() <= kMaxAddresses) return;
  entries_.erase(by_age_.front());
  by_age_.pop_front();
}

std::vector<std::string> NameBook::NamesOf(const boost::asio::ip::address& address) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(address);
  return found == entries_.end() ? std::vector<std::string>() : found->second.names;
}

size_t NameBook::Size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace cordon::agent
