#include "agent/app/lifecycle.h"

#include <utility>

#include "agent/app/version.h"
#include "agent/spool/queue_events.h"

namespace cordon::agent {

void EmitLifecycle(EventSink& events, const Clock& clock, v1::AgentLifecycle::State state,
                   const std::string& detail, const std::string& boot_id) {
  v1::Event event;
  v1::AgentLifecycle* const lifecycle = event.mutable_agent_lifecycle();
  lifecycle->set_state(state);
  lifecycle->set_agent_version(kVersion);
  lifecycle->set_boot_id(boot_id);
  lifecycle->set_detail(detail);
  events.Emit(v1::EVENT_CLASS_CONTROL, clock.WallNanos(), std::move(event));
}

void EmitNotWatching(EventSink& events, const Clock& clock, int64_t since_unix_nanos,
                     const std::string& detail) {
  const int64_t now = clock.WallNanos();
  v1::Event event;
  *event.mutable_gap() = UnknownGap(v1::Gap::CAUSE_AGENT_NOT_RUNNING, since_unix_nanos, now, detail);
  events.Emit(v1::EVENT_CLASS_CONTROL, now, std::move(event));
}

}  // namespace cordon::agent
