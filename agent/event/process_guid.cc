#include "agent/event/process_guid.h"

#include "common/crypto/digest.h"

namespace cordon::agent {

std::string ProcessGuid(std::string_view host_id, std::string_view boot_id,
                        const platform::ProcessKey& process) {
  thread_local Sha256Stream stream;  // to make one takes as long as the digest
  stream.Update(std::string_view("cordon-process-v1\0", 18));
  for (const std::string_view part : {host_id, boot_id}) {
    stream.UpdateU32(static_cast<uint32_t>(part.size()));
    stream.Update(part);
  }
  stream.UpdateU32(process.pid);
  stream.UpdateU64(static_cast<uint64_t>(process.start_boottime_nanos));
  return stream.Finish().substr(0, 16);
}

}  // namespace cordon::agent
