#include "common/wire/batch_hash.h"

#include "common/crypto/digest.h"

namespace cordon {

std::string BatchHash(std::string_view host_id, const v1::Batch& batch) {
  Sha256Stream stream;
  stream.Update(std::string_view("cordon-batch-v1\0", 16));
  stream.UpdateU32(static_cast<uint32_t>(host_id.size()));
  stream.Update(host_id);
  stream.UpdateU64(batch.first_sequence());
  stream.UpdateU32(batch.event_count());
  stream.UpdateU32(static_cast<uint32_t>(batch.event_class()));
  stream.Update(batch.previous_hash());
  stream.Update(batch.payload_sha256());
  return stream.Finish();
}

std::string FirstPreviousHash() {
  return std::string(kSha256Bytes, '\0');
}

}  // namespace cordon
