// logind for tests: takes org.freedesktop.login1 on the bus at argv[1]. Each line of its standard input,
// "idle" or "active", is what it says of all sessions from then on; it answers with the same line.

#include <poll.h>
#include <systemd/sd-bus.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <iostream>
#include <string>

namespace {

int TellIdleHint(sd_bus* /*bus*/, const char* /*path*/, const char* /*interface*/, const char* /*property*/,
                 sd_bus_message* reply, void* data, sd_bus_error* /*error*/) {
  return sd_bus_message_append(reply, "b", *static_cast<const bool*>(data) ? 1 : 0);
}

const sd_bus_vtable kManager[] = {SD_BUS_VTABLE_START(0),
                                  SD_BUS_PROPERTY("IdleHint", "b", TellIdleHint, 0, 0), SD_BUS_VTABLE_END};

}  // namespace

int main(int argc, char** argv) {
  sd_bus* bus = nullptr;
  bool idle = false;
  if (argc != 2 || sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, argv[1]) < 0 ||
      sd_bus_set_bus_client(bus, 1) < 0 || sd_bus_start(bus) < 0 ||
      sd_bus_add_object_vtable(bus, nullptr, "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
                               kManager, &idle) < 0 ||
      sd_bus_request_name(bus, "org.freedesktop.login1", 0) < 0) {
    std::cerr << "cannot take logind's name\n";
    return 1;
  }
  std::cout << "ready" << std::endl;
  std::array<pollfd, 2> ready{pollfd{.fd = 0, .events = POLLIN, .revents = 0},
                              pollfd{.fd = sd_bus_get_fd(bus), .events = POLLIN, .revents = 0}};
  while (true) {
    while (sd_bus_process(bus, nullptr) > 0) {
    }
    if (poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) return 1;
    if (ready[0].revents == 0) continue;
    std::string line;
    if (!std::getline(std::cin, line)) return 0;
    idle = line == "idle";
    std::cout << line << std::endl;
  }
}
