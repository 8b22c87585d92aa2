#include "platform/linux/load/user_activity.h"

#include <systemd/sd-bus.h>

#include <cstdint>

namespace cordon::platform {
namespace {

constexpr uint64_t kPatienceMicros = 500'000;

}  // namespace

UserActivity::UserActivity() = default;

UserActivity::~UserActivity() {
  sd_bus_flush_close_unref(bus_);
}

std::optional<bool> UserActivity::Read() {
  if (bus_ == nullptr) {
    if (sd_bus_open_system(&bus_) < 0) return std::nullopt;
    sd_bus_set_method_call_timeout(bus_, kPatienceMicros);
  }
  int idle = 0;
  const int got =
      sd_bus_get_property_trivial(bus_, "org.freedesktop.login1", "/org/freedesktop/login1",
                                  "org.freedesktop.login1.Manager", "IdleHint", nullptr, 'b', &idle);
  if (got >= 0) return idle == 0;
  bus_ = sd_bus_close_unref(bus_);  // tried anew the next time
  return std::nullopt;
}

}  // namespace cordon::platform
