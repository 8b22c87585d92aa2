#include "agent/link/prepare.h"

#include <grpc/support/log.h>
#include <spdlog/spdlog.h>

#include "common/base/text.h"
#include "common/rpc/tls.h"

namespace cordon::agent {

absl::Status PrepareRpc() {
  gpr_set_log_function([](gpr_log_func_args* line) { spdlog::debug("grpc: {}", Printable(line->message)); });
  return RequireTls13();
}

}  // namespace cordon::agent
