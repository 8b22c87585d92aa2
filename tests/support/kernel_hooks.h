#pragma once

#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "common/base/strings.h"

// Takes the sensors of this process off the kernel behind their backs, as a fault or an attacker would.
namespace cordon::testing {

// Puts nothing in the place of those of this process's descriptors that `is_it` names. Returns how many.
inline int Cut(const std::function<bool(int)>& is_it) {
  int cut = 0;
  std::vector<int> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    all.push_back(std::stoi(entry.path().filename()));
  }
  for (const int fd : all) {
    if (!is_it(fd)) continue;
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (dup3(nothing, fd, O_CLOEXEC) == fd) ++cut;
    close(nothing);
  }
  return cut;
}

// A BPF program is detached with the last descriptor of its link. `words`: what /proc says of the link.
inline int DetachFrom(const std::string& words) {
  return Cut([&](int fd) {
    std::ifstream info(StrCat("/proc/self/fdinfo/", fd));
    const std::string text(std::istreambuf_iterator<char>(info), {});
    return text.find("link_id:") != std::string::npos && text.find(words) != std::string::npos;
  });
}

inline int CutProcessConnector() {
  return Cut([](int fd) {
    int domain = 0;
    int protocol = 0;
    socklen_t size = sizeof(int);
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_NETLINK &&
           getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == NETLINK_CONNECTOR;
  });
}

}  // namespace cordon::testing
