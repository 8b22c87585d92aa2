#include <grpc/support/log.h>

#include <cstdlib>
#include <iostream>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/rpc/tls.h"
#include "controller/cordonctl/run.h"
#include "platform/api/system.h"
#include "platform/api/terminal.h"

namespace {

// gRPC tells on standard error what cordonctl tells in its own words; who wants both sets GRPC_VERBOSITY.
void SilenceGrpc() {
  if (std::getenv("GRPC_VERBOSITY") == nullptr) gpr_set_log_function([](gpr_log_func_args*) {});
}

}  // namespace

int main(int argc, char** argv) {
  if (const absl::Status status = cordon::RequireTls13(); !status.ok()) {
    std::cerr << "cordonctl: " << cordon::Message(status) << '\n';
    return static_cast<int>(cordon::ctl::ExitCode::kFailed);
  }
  SilenceGrpc();
  const cordon::ctl::Environment environment{
      .in = std::cin,
      .out = std::cout,
      .err = std::cerr,
      .input_is_terminal = cordon::platform::InputIsTerminal(),
      .output_is_terminal = cordon::platform::OutputIsTerminal(),
      .error_is_terminal = cordon::platform::ErrorIsTerminal(),
      .columns = cordon::platform::TerminalColumns(),
      .getenv = [](const char* name) -> const char* { return std::getenv(name); },
      .now_unix_nanos = cordon::WallNowNanos,
      .ask_secret = cordon::platform::AskSecret,
      .on_stop = cordon::platform::OnStopRequest,
  };
  return cordon::ctl::Run({argv + 1, argv + argc}, environment);
}
