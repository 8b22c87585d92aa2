#include "platform/windows/packet_filter/filter_list.h"

#include <algorithm>

#include "platform/windows/packet_filter/permits.h"

namespace cordon::platform::wfp {
namespace {

// What holds of a level while nothing runs that could need more.
std::vector<Filter> MakeBootTimeFilters(Level level) {
  std::vector<Filter> filters;
  AddLoopback(&filters);
  if (level != Level::kDark) AddUpkeep(&filters);
  if (level == Level::kNoLateral) {
    AddLateralBlocks(&filters);
  } else {
    AddBlockOfTheRest(&filters);
  }
  for (Filter& filter : filters) filter.lifetime = Lifetime::kBootTime;
  return filters;
}

}  // namespace

std::vector<Filter> MakeFilterList(const FilterPolicy& policy, const Identities& who) {
  if (policy.level == Level::kObserve) return {};
  std::vector<Filter> filters = MakeBootTimeFilters(policy.level);
  AddLoopback(&filters);
  if (policy.level != Level::kDark) {
    AddChannel(policy, who, &filters);
    AddUpkeep(&filters);
  }
  if (policy.dns.has_value()) AddDns(*policy.dns, who, &filters);
  AddResolvers(policy.resolvers, who, &filters);
  if (policy.level == Level::kNoLateral || policy.level == Level::kEssential)
    AddProfile(policy, who, &filters);
  if (policy.level == Level::kNoLateral) {
    AddLateralBlocks(&filters);
  } else {
    AddBlockOfTheRest(&filters);
  }
  // Rules that say the same twice are one filter: it has one key.
  std::vector<std::string> seen;
  std::erase_if(filters, [&](const Filter& filter) {
    std::string text = Describe(filter);
    if (std::ranges::find(seen, text) != seen.end()) return true;
    seen.push_back(std::move(text));
    return false;
  });
  return filters;
}

}  // namespace cordon::platform::wfp
