#pragma once

// Watches the filtering engine for changes. No Windows header: tested on every system.

#include <chrono>
#include <memory>

#include "common/base/clock.h"
#include "platform/api/ruleset_watcher.h"
#include "platform/windows/packet_filter/wfp_filter.h"

namespace cordon::platform::wfp {

struct WatcherTimes {
  std::chrono::milliseconds retry{
      30'000};  // for an engine that does not answer; and to see that one still does
  std::chrono::milliseconds fold{100};
};

// WFP tells that filters changed, and not who did it. A burst is folded: the read-back finds what it did.
std::unique_ptr<RulesetWatcher> MakeFilterWatcher(OpenEngine open, std::unique_ptr<Clock> clock,
                                                  WatcherTimes times = {});

}  // namespace cordon::platform::wfp
