#include "agent/app/commands.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "agent/app/host_facts.h"
#include "agent/app/instance_lock.h"
#include "agent/app/status_text.h"
#include "agent/link/enroll.h"
#include "agent/link/local_server.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/files.h"
#include "platform/api/system.h"

namespace cordon::agent {
namespace {

int Fail(const absl::Status& why) {
  fmt::print(stderr, "cordon-agent: {}\n", Message(why));
  return 1;
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

}  // namespace

int EnrollCommand(const AgentConfig& config, const std::string& file, bool replace) {
  const absl::StatusOr<HostState> state = LockAndEnroll(config, file, replace);
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

}  // namespace cordon::agent
