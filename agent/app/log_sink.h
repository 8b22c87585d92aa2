#pragma once

#include <spdlog/spdlog.h>

#include "agent/event/event_sink.h"

namespace cordon::agent {

// For a host that has no place to keep events.
class LogSink final : public EventSink {
 public:
  void Emit(v1::EventClass /*event_class*/, int64_t /*time_unix_nanos*/, v1::Event event) override {
    spdlog::warn("event that could not be kept: {}", event.ShortDebugString());
  }
};

}  // namespace cordon::agent
