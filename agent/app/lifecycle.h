#pragma once

#include <string>

#include "agent/event/event_sink.h"
#include "common/base/clock.h"
#include "cordon/v1/event.pb.h"

namespace cordon::agent {

// Puts one AgentLifecycle event into the stream, class CONTROL.
void EmitLifecycle(EventSink& events, const Clock& clock, v1::AgentLifecycle::State state,
                   const std::string& detail, const std::string& boot_id = {});

// Nobody watched from `since_unix_nanos` until now, because the agent is starting or stopping (TEL-1): one
// Gap of cause AGENT_NOT_RUNNING, class CONTROL. What the spool says at its opening ends where that begins,
// or begins where it ends.
void EmitNotWatching(EventSink& events, const Clock& clock, int64_t since_unix_nanos,
                     const std::string& detail);

}  // namespace cordon::agent
