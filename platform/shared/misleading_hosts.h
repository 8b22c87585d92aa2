#pragma once

// Lines of a hosts file that send a controller's name elsewhere. Pure, and the same on both systems.

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/strings.h"
#include "common/base/text.h"

namespace cordon::platform {

// As resolvers compare names: capitals do not count.
inline bool IsSameName(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// Every line for one of `names` but those with the address at which that name was last reached: what the
// system looks up says nothing here, for it reads this file first. One sentence each.
inline std::vector<std::string> MisleadingHosts(
    std::string_view text, const std::string& path, const std::vector<std::string>& names,
    const std::map<std::string, boost::asio::ip::address>& reached) {
  std::vector<std::string> found;
  std::istringstream lines{std::string(text)};
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::istringstream words(line.substr(0, line.find('#')));
    std::string first;
    words >> first;
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(first, error);
    if (error) continue;
    for (std::string word; words >> word;) {
      const auto name =
          std::ranges::find_if(names, [&](const std::string& each) { return IsSameName(each, word); });
      if (name == names.end()) continue;
      const auto good = reached.find(*name);
      if (good != reached.end() && good->second == address) continue;
      found.push_back(StrCat("line ", number, " of ", path, " sends the controller's name ", Printable(word),
                             " to ", address.to_string()));
    }
  }
  return found;
}

}  // namespace cordon::platform
