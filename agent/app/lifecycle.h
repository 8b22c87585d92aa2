#pragma once

#include <string>

#include "agent/event/event_sink.h"
#include "common/base/clock.h"
#include "cordon/v1/event.pb.h"

namespace cordon::agent {

// Puts one AgentLifecycle event into the stream, class CONTROL.
void EmitLifecycle(EventSink& events, const Clock& clock, v1::AgentLifecycle::State state,
                   const std::string& detail, const std::string& boot_id = {});

}  // namespace cordon::agent
