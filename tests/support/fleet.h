#pragma once

// A small fleet of real programs in namespaces of their own, for tests of the whole: one controller, one host
// with an agent, one other machine on the host's LAN. Everything is gone with the object.
//
//   host 10.77.0.10 fd77::10 ── LAN ── peer 10.77.0.66 fd77::66
//    └───────── line ───────── controller 10.99.0.10 fd99::10

#include <boost/json/object.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/net_namespace.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_folder.h"

namespace cordon::testing {

class Fleet {
 public:
  // Networks, `cordon-controller init`, the controller running. Throws std::runtime_error when a step fails.
  Fleet();
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  const NetNamespace& Host() const { return host_; }
  const NetNamespace& Peer() const { return peer_; }
  const NetNamespace& Outside() const { return outside_; }  // where the controller is
  std::filesystem::path Folder(const std::string& name) const { return folder_ / name; }
  std::filesystem::path WatchedFolder() const { return folder_ / "watched"; }

  void StartController(std::vector<std::string> through = {});   // `through`: a command that runs it
  void LaunchController(std::vector<std::string> through = {});  // without waiting until it answers
  void KillController();                                         // SIGKILL
  Subprocess& Controller() { return *controller_; }

  // Writes an enrolment file for site "leeds" and joins the host with it.
  void Enroll();
  CommandResult TryEnroll(const std::filesystem::path& file);
  // Starts the agent and waits until the controller sees it connected. `through`: a command that runs it.
  void StartAgent(std::vector<std::string> through = {});
  void LaunchAgent(std::vector<std::string> through = {});  // without waiting
  bool AgentConnected();
  void KillAgent();  // SIGKILL
  int StopAgent();   // SIGTERM; the exit status
  Subprocess& Agent() { return *agent_; }

  // cordonctl with the first operator's identity. `Ctl` throws unless it exits with 0.
  CommandResult TryCtl(std::vector<std::string> args);
  // The same with the identity file of that name in the fleet's folder.
  CommandResult TryCtlAs(const std::string& identity, std::vector<std::string> args);
  std::string Ctl(std::vector<std::string> args);
  // The objects that `-o json` printed.
  std::vector<boost::json::object> CtlJson(std::vector<std::string> args);

  // Programs under test, by name.
  static std::string Program(const std::string& name);

  // True as soon as a TCP connection from `from` to address:port is made, within one second.
  static bool Connects(const NetNamespace& from, const std::string& address, int port);

 private:
  TempFolder folder_;
  NetNamespace host_{"host"};
  NetNamespace peer_{"peer"};
  NetNamespace outside_{"ctl"};
  std::unique_ptr<Subprocess> controller_;
  std::unique_ptr<Subprocess> agent_;
};

// What cordonctl printed; throws, with the words it was called with, unless it exited with 0.
std::string OutputOf(const std::vector<std::string>& args, const CommandResult& result);
// The objects that `-o json` printed, one a line.
std::vector<boost::json::object> JsonLines(const std::string& output);

// Asks again until `condition` holds; false after the time-out.
bool Eventually(const std::function<bool()>& condition,
                std::chrono::seconds timeout = std::chrono::seconds(20));

}  // namespace cordon::testing
