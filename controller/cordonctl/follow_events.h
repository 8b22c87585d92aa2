#pragma once

// events --follow: through restarts of the controller, each event once.

#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "controller/cordonctl/tool.h"

namespace cordon::ctl {

// How far a follow came, by the places of events in the controller's store. Pure.
class Followed {
 public:
  // Makes `request` go on from here.
  void GoOn(v1::QueryEventsRequest* request) const;

  // Takes note of a message. True: it has an event, and one that was not there before.
  bool IsNew(const v1::QueryEventsResponse& message);

  // The controller tells places: a call that broke can be gone on with.
  bool CanGoOn() const { return history_.has_value(); }
  // Nothing of the history is still to come: calls go on from the last event.
  bool PastHistory() const { return last_.batch() != 0; }

 private:
  bool IsNewInHistory(const v1::EventPlace& place);

  std::optional<uint64_t> history_;  // up to which batch it goes
  // What of it was told, by batch and index. It is told by time, so a broken call says nothing of the rest.
  std::unordered_map<uint64_t, std::vector<bool>> told_;
  v1::EventPlace last_;  // of what came after the history, in order of commit
};

// Calls `show` for each event of a follow. While the controller is away it says so and tries again; then it
// goes on: no event is lost and none repeated, except that events which the controller itself has thrown away
// for their age meanwhile do not come. OK when `interrupt` was asked. Errors: what the controller refuses;
// OUT_OF_RANGE: its store was set back; UNAVAILABLE: it is older, and cannot go on.
absl::Status FollowEvents(const Tool& tool, const Client& client, const v1::QueryEventsRequest& request,
                          Interrupt& interrupt,
                          const std::function<void(const v1::QueryEventsResponse&)>& show);

}  // namespace cordon::ctl
