// A desktop's notification service for tests: takes org.freedesktop.Notifications on the bus at argv[1] and
// writes a line for every notification: the sender's user, urgency, title and text.

#include <systemd/sd-bus.h>

#include <cstdio>
#include <string>

namespace {

int OnNotify(sd_bus_message* message, void* /*data*/, sd_bus_error* /*error*/) {
  const char* app = nullptr;
  const char* icon = nullptr;
  const char* title = nullptr;
  const char* text = nullptr;
  unsigned replaces = 0;
  if (sd_bus_message_read(message, "susss", &app, &replaces, &icon, &title, &text) < 0) return -EINVAL;
  sd_bus_message_skip(message, "as");
  unsigned char urgency = 0;
  if (sd_bus_message_enter_container(message, 'a', "{sv}") > 0 &&
      sd_bus_message_enter_container(message, 'e', "sv") > 0) {
    sd_bus_message_skip(message, "s");
    sd_bus_message_read(message, "v", "y", &urgency);
  }
  sd_bus_creds* sender = nullptr;
  uid_t uid = 0;
  if (sd_bus_query_sender_creds(message, SD_BUS_CREDS_EUID, &sender) < 0 ||
      sd_bus_creds_get_euid(sender, &uid) < 0)
    uid = 0;
  sd_bus_creds_unref(sender);
  std::printf("user %u, %s, urgency %d: %s: %s\n", uid, app, int{urgency}, title, text);
  std::fflush(stdout);
  return sd_bus_reply_method_return(message, "u", 1U);
}

const sd_bus_vtable kDesk[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Notify", "susssasa{sv}i", "u", OnNotify, SD_BUS_VTABLE_UNPRIVILEGED), SD_BUS_VTABLE_END};

}  // namespace

int main(int argc, char** argv) {
  sd_bus* bus = nullptr;
  if (argc != 2 || sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, argv[1]) < 0 ||
      sd_bus_set_bus_client(bus, 1) < 0 || sd_bus_start(bus) < 0 ||
      sd_bus_add_object_vtable(bus, nullptr, "/org/freedesktop/Notifications",
                               "org.freedesktop.Notifications", kDesk, nullptr) < 0 ||
      sd_bus_request_name(bus, "org.freedesktop.Notifications", 0) < 0) {
    std::fprintf(stderr, "cannot take the desktop's name\n");
    return 1;
  }
  std::printf("ready\n");
  std::fflush(stdout);
  while (true) {
    if (sd_bus_process(bus, nullptr) == 0) sd_bus_wait(bus, UINT64_MAX);
  }
}
