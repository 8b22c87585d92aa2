#pragma once

// A controller of this system and an agent under wine, over loopback. Everything is gone with the object.

#include <boost/json/object.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/fleet.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_folder.h"
#include "tests/wine/fleet/wine_prefix.h"

namespace cordon::testing {

class WindowsFleet {
 public:
  // A prefix with the agent's settings, the controller running. Throws std::runtime_error when a step fails.
  WindowsFleet();
  ~WindowsFleet();
  WindowsFleet(const WindowsFleet&) = delete;
  WindowsFleet& operator=(const WindowsFleet&) = delete;

  const WinePrefix& Windows() const { return windows_; }
  std::filesystem::path WatchedFolder() const { return windows_.Drive() / "watched"; }  // C:\watched
  std::filesystem::path StateFolder() const { return windows_.Drive() / "ProgramData/Cordon/State"; }
  std::filesystem::path Store() const { return folder_ / "controller/store.db"; }

  void StartController();
  void LaunchController();  // without waiting until it answers
  void KillController();    // SIGKILL

  std::filesystem::path MakeEnrollmentFile();
  void Enroll();
  CommandResult Agent(std::vector<std::string> args) const;  // one of its commands, to its end

  void StartAgent();   // and waits until the controller sees it connected
  void LaunchAgent();  // without waiting
  bool AgentConnected();
  bool WaitForAgent();  // until it is connected
  void KillAgent();     // as TerminateProcess does
  Subprocess& RunningAgent() { return *agent_; }

  // cordonctl with the first operator's identity. `Ctl` throws unless it exits with 0.
  CommandResult TryCtl(std::vector<std::string> args);
  std::string Ctl(std::vector<std::string> args);
  std::vector<boost::json::object> CtlJson(std::vector<std::string> args);

  boost::json::object Host() { return CtlJson({"hosts"}).at(0); }
  std::string HostName() { return std::string(Host().at("host").as_string()); }
  // Whether such an event is stored within the time.
  bool EventArrives(const std::string& event_class, const std::string& text,
                    std::chrono::seconds timeout = std::chrono::seconds(30));

 private:
  TempFolder folder_;
  WinePrefix windows_;
  int port_ = 0;
  std::unique_ptr<Subprocess> controller_;
  std::unique_ptr<Subprocess> agent_;
};

}  // namespace cordon::testing
