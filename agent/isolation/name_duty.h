#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/names/names.h"
#include "common/base/clock.h"
#include "cordon/v1/local.pb.h"
#include "platform/api/packet_filter.h"

namespace cordon::agent {

// Names as isolation needs them, and nothing at all where there are none.
class NameDuty {
 public:
  NameDuty(Names* names, const Clock* clock) : names_(names), clock_(clock) {}

  bool Possible() const { return names_ != nullptr; }

  // Before `state` is saved and put in force: what is open for its names is written into it.
  void Begin(v1::IsolationState* state);
  // After it is in force.
  void Settle();

  // The sets and the redirect, as of now.
  void Fill(platform::FilterPolicy* policy) const;
  std::vector<std::string> Notes() const;
  // True when the notes are others than at the last call that said so; once a minute at most.
  bool NotesTurned();

  // True once after the redirect of `policy` came, went or was never seen: flows that the kernel remembers
  // would pass by it, or go on to a guard that has gone.
  bool RedirectTurned(const platform::FilterPolicy& policy);

  // Every change of addresses or resolvers goes into `state` at once; true when it is time to write the state
  // to disk too, which is at most once a second: a state file can be large, and names can be many.
  bool Changed(v1::IsolationState* state);
  bool SaveIsDue();

  void Tick();

 private:
  Names* const names_;
  const Clock* const clock_;
  bool redirected_ = false;
  bool unsaved_ = false;
  int64_t saved_at_ = 0;
  std::vector<std::string> told_notes_;
  int64_t told_at_ = 0;
};

}  // namespace cordon::agent
