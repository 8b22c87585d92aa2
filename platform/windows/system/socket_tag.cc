#include "platform/api/socket_tag.h"

namespace cordon::platform {

// WFP's permit names the agent's executable and service: no socket needs a tag.
absl::Status TagAgentSocket(int /*socket*/) {
  return absl::OkStatus();
}

}  // namespace cordon::platform
