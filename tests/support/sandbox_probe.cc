// Tries what a sandboxed child must not be able to do, as it is told, and says how it went.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "platform/api/sandboxed_child.h"

namespace {

std::string Try(const cordon::platform::SandboxRequest& request) {
  const std::string& what = request.message;
  if (what == "echo") return "echo";
  if (what == "content") return request.content.has_value() ? std::string(*request.content) : "none";
  if (what == "open") return std::to_string(open("/etc/passwd", O_RDONLY));
  if (what == "socket") return std::to_string(socket(AF_INET, SOCK_STREAM, 0));
  if (what == "fork") return std::to_string(fork());
  if (what == "kill") return std::to_string(kill(getppid(), 0));
  if (what == "crash") std::abort();
  if (what == "hang") {
    for (volatile bool forever = true; forever;) {
    }
  }
  if (what == "memory") {
    std::vector<char*> pieces;
    for (int i = 0; i < 4096; ++i) {
      auto* const piece = static_cast<char*>(malloc(1 << 20));
      if (piece == nullptr) return "no more after " + std::to_string(i);
      std::memset(piece, 1, 1 << 20);
      pieces.push_back(piece);
    }
    return "4 GiB";
  }
  return "?";
}

}  // namespace

int main(int argc, char** /*argv*/) {
  // Without the sandbox, for the positive control of what the other probes show.
  const uint64_t memory = argc > 1 ? 0 : uint64_t{256} << 20;
  if (memory == 0) return open("/etc/passwd", O_RDONLY) >= 0 && socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 1;
  const auto channel = cordon::platform::EnterSandbox({.memory_bytes = memory, .file_bytes = 1000});
  if (!channel.ok()) return 1;
  while (const auto request = (*channel)->Receive()) {
    if (!(*channel)->Send(Try(*request)).ok()) return 1;
  }
  return 0;
}
