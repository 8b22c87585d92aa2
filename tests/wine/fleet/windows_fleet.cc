#include "tests/wine/fleet/windows_fleet.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>
#include <utility>

#include "common/base/strings.h"
#include "tests/wine/fleet/programs.h"

namespace cordon::testing {
namespace {

constexpr std::chrono::seconds kStartTimeout(60);

void Require(bool ok, const std::string& what) {
  if (!ok) throw std::runtime_error(what);
}

int FreePort() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  const bool got =
      socket >= 0 && bind(socket, generic, size) == 0 && getsockname(socket, generic, &size) == 0;
  if (socket >= 0) close(socket);
  Require(got, "no free port");
  return ntohs(address.sin_port);
}

}  // namespace

WindowsFleet::WindowsFleet() : port_(FreePort()) {
  std::filesystem::create_directories(WatchedFolder());
  std::filesystem::create_directories(StateFolder().parent_path());
  std::ofstream(StateFolder().parent_path() / "agent.toml") << "[watch]\npaths = ['C:\\watched']\n";
  MustRun({NativeProgram("cordon-controller"), "init", "--data", (folder_ / "controller").string(), "--name",
           "127.0.0.1", "--port", StrCat(port_), "--operator", "alex", "--operator-out",
           (folder_ / "operator.identity").string(), "--no-passphrase"});
  StartController();
}

WindowsFleet::~WindowsFleet() {
  if (agent_) agent_->Kill();
  if (controller_) controller_->Kill();
}

void WindowsFleet::LaunchController() {
  controller_ = std::make_unique<Subprocess>(
      std::vector<std::string>{NativeProgram("cordon-controller"), "serve", "--data",
                               (folder_ / "controller").string(), "--listen", StrCat("127.0.0.1:", port_)});
}

void WindowsFleet::StartController() {
  LaunchController();
  Require(Eventually([&] { return TryCtl({"hosts"}).status == 0; }, kStartTimeout),
          StrCat("the controller does not answer: ", controller_->Errors()));
}

void WindowsFleet::KillController() {
  controller_->Kill();
}

std::filesystem::path WindowsFleet::MakeEnrollmentFile() {
  const std::filesystem::path file = folder_ / "leeds.enroll";
  Ctl({"enrollment", "create", "--site", "leeds", "--label", "role=reception", "--uses", "5", "--for", "1h",
       "--out", file.string()});
  return file;
}

CommandResult WindowsFleet::Agent(std::vector<std::string> args) const {
  args.insert(args.begin(), WindowsAgent().string());
  return windows_.Run(std::move(args), std::chrono::minutes(2));
}

void WindowsFleet::Enroll() {
  const CommandResult result = Agent({"enroll", WindowsPath(MakeEnrollmentFile())});
  Require(result.status == 0, StrCat("cannot enrol: ", result.output, result.errors));
}

void WindowsFleet::LaunchAgent() {
  agent_ = windows_.Start({WindowsAgent().string(), "run"});
}

bool WindowsFleet::AgentConnected() {
  const CommandResult hosts = TryCtl({"-o", "json", "hosts"});
  return hosts.status == 0 && hosts.output.find("\"connected\"") != std::string::npos;
}

bool WindowsFleet::WaitForAgent() {
  return Eventually([&] { return AgentConnected(); }, kStartTimeout);
}

void WindowsFleet::StartAgent() {
  LaunchAgent();
  Require(WaitForAgent(), StrCat("the agent does not connect: ", agent_->Output(), agent_->Errors()));
}

void WindowsFleet::KillAgent() {
  agent_->Kill();
}

CommandResult WindowsFleet::TryCtl(std::vector<std::string> args) {
  args.insert(args.begin(),
              {NativeProgram("cordonctl"), "--identity", (folder_ / "operator.identity").string()});
  return RunCommand(std::move(args));
}

std::string WindowsFleet::Ctl(std::vector<std::string> args) {
  const CommandResult result = TryCtl(args);
  return OutputOf(args, result);
}

std::vector<boost::json::object> WindowsFleet::CtlJson(std::vector<std::string> args) {
  args.insert(args.begin(), {"-o", "json"});
  return JsonLines(Ctl(std::move(args)));
}

bool WindowsFleet::EventArrives(const std::string& event_class, const std::string& text,
                                std::chrono::seconds timeout) {
  return Eventually(
      [&] { return Ctl({"-o", "json", "events", "--class", event_class, "--since", "10m"}).contains(text); },
      timeout);
}

}  // namespace cordon::testing
