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

constexpr const char* kFlood = R"(
import itertools, socket, ssl, sys, threading, time
to, port, seconds, sources = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.set_alpn_protocols(['h2'])
turn, end, counts = itertools.cycle(sources), time.monotonic() + seconds, []
def flood():
    done = 0
    while time.monotonic() < end:
        try:
            with socket.socket() as s:
                s.settimeout(5)
                s.bind((next(turn), 0))
                s.connect((to, port))
                with context.wrap_socket(s):
                    done += 1
        except OSError:
            continue
        if done == 1:
            print('begun', flush=True)
    counts.append(done)
threads = [threading.Thread(target=flood) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print('total', sum(counts), flush=True)
)";

std::vector<std::string> FloodCommand(const HandshakeFlood::Plan& plan) {
  std::vector<std::string> command{
      "python3", "-c", kFlood, plan.to, std::to_string(plan.port), std::to_string(plan.seconds)};
  command.insert(command.end(), plan.sources.begin(), plan.sources.end());
  return command;
}

}  // namespace

HandshakeFlood::HandshakeFlood(const Plan& plan)
    : process_(FloodCommand(plan), {.net_namespace = plan.net_namespace}) {
  if (!process_.WaitForOutput("begun", std::chrono::seconds(30)))
    throw std::runtime_error("no handshake is made: " + process_.Errors());
}

int HandshakeFlood::Count() {
  if (process_.Wait() != 0) throw std::runtime_error("the flood broke off: " + process_.Errors());
  const std::string output = process_.Output();
  return std::stoi(output.substr(output.rfind("total ") + 6));
}

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
