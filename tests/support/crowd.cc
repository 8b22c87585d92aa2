#include "tests/support/crowd.h"

#include <chrono>
#include <sstream>
#include <stdexcept>

namespace cordon::testing {
namespace {

constexpr const char* kProgram = R"(
import resource, select, socket, sys
source, to, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
held, refused = [], 0
for _ in range(count):
    s = socket.socket()
    s.settimeout(5)
    s.bind((source, 0))
    try:
        s.connect((to, port))
        held.append(s)
    except OSError:
        refused += 1
poller = select.poll()
for s in held:
    poller.register(s, select.POLLIN)
closed = set()
while True:
    ready = [fd for fd, _ in poller.poll(1000) if fd not in closed]
    if not ready:
        break
    for fd in ready:
        poller.unregister(fd)
        closed.add(fd)
print(len(held) - len(closed), refused + len(closed), 'counted', flush=True)
sys.stdin.read()
)";

}  // namespace

Crowd::Crowd(const Plan& plan)
    : process_({"python3", "-c", kProgram, plan.source, plan.to, std::to_string(plan.port),
                std::to_string(plan.count)},
               {.net_namespace = plan.net_namespace}) {
  if (!process_.WaitForOutput("counted", std::chrono::seconds(60))) {
    throw std::runtime_error("the crowd does not come: " + process_.Errors());
  }
  std::istringstream(process_.Output()) >> open_ >> refused_;
}

}  // namespace cordon::testing
