#include "tests/support/fleet.h"

#include <boost/json/parse.hpp>
#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "common/base/strings.h"
#include "tests/support/build_paths.h"

namespace cordon::testing {
namespace {

constexpr auto kStartTimeout = std::chrono::seconds(40);

void Require(bool ok, const std::string& what) {
  if (!ok) throw std::runtime_error(what);
}

}  // namespace

bool Eventually(const std::function<bool()>& condition, std::chrono::seconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (std::chrono::steady_clock::now() < deadline) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return condition();
}

std::string OutputOf(const std::vector<std::string>& args, const CommandResult& result) {
  std::string shown;
  for (const std::string& arg : args) StrAppend(&shown, " ", arg);
  Require(result.status == 0,
          StrCat("cordonctl", shown, " exits with ", result.status, ": ", result.output, result.errors));
  return result.output;
}

std::vector<boost::json::object> JsonLines(const std::string& output) {
  std::istringstream lines(output);
  std::vector<boost::json::object> objects;
  for (std::string line; std::getline(lines, line);) objects.push_back(boost::json::parse(line).as_object());
  return objects;
}

std::string Fleet::Program(const std::string& name) {
  return StrCat(kBinaryDir, "/bin/", name);
}

Fleet::Fleet() {
  ConnectByVeth({host_, "lan0", {"10.77.0.10/24", "fd77::10/64"}},
                {peer_, "lan0", {"10.77.0.66/24", "fd77::66/64"}});
  ConnectByVeth({host_, "wan0", {"10.99.0.20/24", "fd99::20/64"}},
                {outside_, "wan0", {"10.99.0.10/24", "fd99::10/64"}});
  std::filesystem::create_directories(WatchedFolder());
  std::ofstream(Folder("agent.toml")) << "[agent]\nstate_dir = \"" << Folder("agent").string()
                                      << "\"\n[watch]\npaths = [\"" << WatchedFolder().string() << "\"]\n";
  MustRun({Program("cordon-controller"), "init", "--data", Folder("controller").string(), "--name",
           "10.99.0.10", "--port", "8443", "--operator", "alex", "--operator-out",
           Folder("operator.identity").string(), "--no-passphrase"});
  StartController();
}

Fleet::~Fleet() {
  if (agent_) agent_->Kill();
  if (controller_) controller_->Kill();
}

void Fleet::LaunchController(std::vector<std::string> through) {
  std::vector<std::string> args = std::move(through);
  args.insert(args.end(), {Program("cordon-controller"), "serve", "--data", Folder("controller").string(),
                           "--listen", "0.0.0.0:8443"});
  controller_ =
      std::make_unique<Subprocess>(std::move(args), SubprocessOptions{.net_namespace = outside_.Name()});
}

void Fleet::StartController(std::vector<std::string> through) {
  LaunchController(std::move(through));
  Require(Eventually([&] { return TryCtl({"hosts"}).status == 0; }, kStartTimeout),
          StrCat("the controller does not answer: ", controller_->Errors()));
}

void Fleet::KillController() {
  controller_->Kill();
}

CommandResult Fleet::TryEnroll(const std::filesystem::path& file) {
  return RunCommand({Program("cordon-agent"), "enroll", file.string(), "--state", Folder("agent").string()},
                    {.net_namespace = host_.Name()});
}

void Fleet::Enroll() {
  const std::filesystem::path file = Folder("leeds.enroll");
  Ctl({"enrollment", "create", "--site", "leeds", "--label", "role=reception", "--uses", "5", "--for", "1h",
       "--out", file.string()});
  const CommandResult result = TryEnroll(file);
  Require(result.status == 0, StrCat("cannot enrol: ", result.errors));
}

void Fleet::LaunchAgent(std::vector<std::string> through) {
  std::vector<std::string> args = std::move(through);
  args.insert(args.end(), {Program("cordon-agent"), "run", "--config", Folder("agent.toml").string()});
  agent_ = std::make_unique<Subprocess>(std::move(args), SubprocessOptions{.net_namespace = host_.Name()});
}

bool Fleet::AgentConnected() {
  const CommandResult hosts = TryCtl({"-o", "json", "hosts"});
  return hosts.status == 0 && hosts.output.find("\"connected\"") != std::string::npos;
}

void Fleet::StartAgent(std::vector<std::string> through) {
  LaunchAgent(std::move(through));
  Require(Eventually([&] { return AgentConnected(); }, kStartTimeout),
          StrCat("the agent does not connect: ", agent_->Errors()));
}

void Fleet::KillAgent() {
  agent_->Kill();
}

int Fleet::StopAgent() {
  agent_->Signal(SIGTERM);
  return agent_->Wait().value_or(-1);
}

CommandResult Fleet::TryCtl(std::vector<std::string> args) {
  return TryCtlAs("operator.identity", std::move(args));
}

CommandResult Fleet::TryCtlAs(const std::string& identity, std::vector<std::string> args) {
  args.insert(args.begin(), {Program("cordonctl"), "--identity", Folder(identity).string()});
  return RunCommand(std::move(args), {.net_namespace = outside_.Name()});
}

std::string Fleet::Ctl(std::vector<std::string> args) {
  const CommandResult result = TryCtl(args);
  return OutputOf(args, result);
}

std::vector<boost::json::object> Fleet::CtlJson(std::vector<std::string> args) {
  args.insert(args.begin(), {"-o", "json"});
  return JsonLines(Ctl(std::move(args)));
}

bool Fleet::Connects(const NetNamespace& from, const std::string& address, int port) {
  const std::string script = StrCat("exec 3<>/dev/tcp/", address, "/", port);
  return RunCommand({"timeout", "1", "bash", "-c", script}, {.net_namespace = from.Name()}).status == 0;
}

}  // namespace cordon::testing
