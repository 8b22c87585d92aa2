#include "agent/app/commands.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>

#include "agent/app/agent.h"
#include "agent/app/host_facts.h"
#include "agent/app/instance_lock.h"
#include "agent/app/removal.h"
#include "agent/app/status_text.h"
#include "agent/link/enroll.h"
#include "agent/link/host_state.h"
#include "agent/link/local_server.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/dns_client.h"
#include "platform/api/files.h"
#include "platform/api/places.h"
#include "platform/api/service.h"
#include "platform/api/system.h"
#include "platform/api/user_notice.h"

namespace cordon::agent {
namespace {

// Brings a stop request to the agent, also one that came before there was an agent.
class StopRelay {
 public:
  void Request() {
    const std::lock_guard lock(mutex_);
    requested_ = true;
    if (agent_ != nullptr) agent_->RequestStop();
  }
  void Use(Agent* agent) {
    const std::lock_guard lock(mutex_);
    agent_ = agent;
    if (agent_ != nullptr && requested_) agent_->RequestStop();
  }

 private:
  std::mutex mutex_;
  Agent* agent_ = nullptr;
  bool requested_ = false;
};

int Fail(const absl::Status& why) {
  fmt::print(stderr, "cordon-agent: {}\n", Message(why));
  return 1;
}

// Empty when there is none.
absl::StatusOr<std::string> FindEnrollmentFile(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::directory_iterator entries(folder, error);
  if (error) return absl::NotFoundError(StrCat("cannot look into ", folder.string(), ": ", error.message()));
  std::string found;
  for (const auto& entry : entries) {
    if (entry.path().extension() != ".enroll") continue;
    if (!found.empty())
      return absl::InvalidArgumentError(
          StrCat("there is more than one *.enroll in ", folder.string(), "; name the one that is meant"));
    found = entry.path().string();
  }
  return found;
}

absl::StatusOr<HostState> LockAndEnroll(const AgentConfig& config, const std::string& file, bool replace) {
  CORDON_ASSIGN_OR_RETURN(const auto lock, LockState(config.state_dir));
  const std::unique_ptr<Clock> clock = platform::MakeSystemClock();
  return Enroll({.file = file,
                 .state_dir = config.state_dir,
                 .replace = replace,
                 .facts = MakeHostFacts(platform::ReadSystemFacts(), config)},
                *clock);
}

int Serve(const AgentConfig& config) {
  platform::KeepMemorySmall();
  StopRelay relay;
  // Before any other thread, so that all of them leave the stop signals to this watcher.
  const auto stop_watcher = platform::OnStopRequest([&relay] { relay.Request(); });
  const absl::StatusOr<std::unique_ptr<Agent>> agent = Agent::Make(config);
  if (!agent.ok()) return Fail(agent.status());
  relay.Use(agent->get());
  const absl::Status ended = (*agent)->Run();
  relay.Use(nullptr);
  return ended.ok() ? 0 : Fail(ended);
}

}  // namespace

int EnrollCommand(const AgentConfig& config, const EnrollFlags& flags) {
  if (flags.unless_enrolled && IsEnrolled(config.state_dir)) {
    fmt::print("this host is enrolled already, and stays so\n");
    return 0;
  }
  absl::StatusOr<std::string> file = flags.file;
  // Installers ask so, and work in a folder of their own.
  if (flags.unless_enrolled && flags.folder.empty() && std::filesystem::path(flags.file).is_relative())
    return Fail(absl::InvalidArgumentError(
        StrCat("not enrolled: '", Printable(flags.file),
               "' is not a whole path; give the enrolment file as one (ENROLL=C:\\…\\leeds.enroll)")));
  if (!flags.folder.empty()) {
    file = FindEnrollmentFile(flags.folder);
    if (!file.ok()) return Fail(Annotate(file.status(), "not enrolled"));
    if (file->empty()) {
      fmt::print("there is no *.enroll in {}; not enrolled\n", flags.folder);
      return 0;
    }
  }
  const absl::StatusOr<HostState> state = LockAndEnroll(config, *file, flags.replace);
  if (!state.ok()) return Fail(Annotate(state.status(), "not enrolled"));
  fmt::print("enrolled at site {} as host {}; certificate valid until {}\n", state->identity.site,
             state->identity.host_id, FormatTime(state->credentials.not_after_unix_nanos));
  return 0;
}

int StatusCommand(const AgentConfig& config, bool json) {
  const absl::StatusOr<v1::GetStatusResponse> status = AskLocalAgent(config.Socket());
  if (!status.ok()) return Fail(status.status());
  if (json) {
    fmt::print("{}\n", StatusJson(*status));
  } else {
    fmt::print("{}", StatusText(*status, WallNowNanos()));
  }
  return 0;
}

int RemoveCommand(const AgentConfig& config, bool check, bool release) {
  if (check) {
    const absl::Status free = CheckNotIsolated(config);
    return free.ok() ? 0 : Fail(free);
  }
  const absl::StatusOr<std::string> removed = RemoveAgent(config, release);
  if (!removed.ok()) return Fail(removed.status());
  fmt::print("{}\n", *removed);
  return 0;
}

int ShowNoticeCommand(uint32_t uid) {
  const absl::Status shown = platform::ShowNoticeOnDesktop(uid);
  return shown.ok() ? 0 : Fail(shown);
}

int RunCommand(const AgentConfig& config) {
  return platform::RunUnderServiceManager([&config] { return Serve(config); });
}

int InstallCommand() {
  std::string notes;
  const absl::Status installed =
      platform::InstallService({.executable = platform::DefaultPlaces().executable}, &notes);
  if (!notes.empty()) fmt::print(stderr, "cordon-agent: the service works without: {}\n", notes);
  return installed.ok() ? 0 : Fail(installed);
}

int StartCommand(const AgentConfig& config) {
  if (!IsEnrolled(config.state_dir)) {
    fmt::print("not enrolled, so not started; after `cordon-agent enroll FILE` it starts with the system\n");
    return 0;
  }
  const absl::Status started = platform::StartInstalledService();
  return started.ok() ? 0 : Fail(started);
}

int StopCommand(const absl::StatusOr<AgentConfig>& config) {
  const absl::Status stopped = platform::StopInstalledService();
  if (!stopped.ok() && !absl::IsNotFound(stopped)) return Fail(stopped);
  // What an agent that was killed may have left. An isolated host keeps it for the next agent.
  const bool free = config.ok() && CheckNotIsolated(*config).ok();
  const auto client = free ? platform::MakeDnsClient() : nullptr;
  const absl::Status turned = client == nullptr ? absl::OkStatus() : client->TurnBack();
  if (!turned.ok()) fmt::print(stderr, "cordon-agent: {}\n", Message(turned));
  return 0;
}

int UninstallCommand() {
  const absl::Status removed = platform::UninstallService();
  return removed.ok() ? 0 : Fail(removed);
}

}  // namespace cordon::agent
