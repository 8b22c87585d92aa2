#include "controller/server/live_streams.h"

namespace cordon::controller {

void LiveStreams::Add(const std::shared_ptr<LiveStream>& stream) {
  std::optional<grpc::Status> ended;
  {
    const std::lock_guard lock(mutex_);
    streams_.emplace(stream.get(), stream);
    ended = ended_;
  }
  if (ended) stream->EndNow(*ended);
}

void LiveStreams::Remove(const LiveStream* stream) {
  std::shared_ptr<LiveStream>
      last_reference;  // let go outside of the lock: a destructor may take other locks
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  last_reference = std::move(found->second);
  streams_.erase(found);
}

void LiveStreams::TickAll(int64_t now_boot_nanos) {
  for (const std::shared_ptr<LiveStream>& stream : Snapshot()) stream->Tick(now_boot_nanos);
}

void LiveStreams::EndOutdated(int64_t now_unix_nanos) {
  for (const std::shared_ptr<LiveStream>& stream : Snapshot()) {
    if (now_unix_nanos < stream->CertificateEnd()) continue;
    stream->EndNow(
        {grpc::StatusCode::UNAUTHENTICATED, "the certificate has ended: connect with a newer one"});
  }
}

void LiveStreams::EndOf(const std::string& host_id, const grpc::Status& status) {
  for (const std::shared_ptr<LiveStream>& stream : Snapshot()) {
    if (stream->HostId() == host_id) stream->EndNow(status);
  }
}

void LiveStreams::EndAll(const grpc::Status& status) {
  {
    const std::lock_guard lock(mutex_);
    ended_ = status;
  }
  for (const std::shared_ptr<LiveStream>& stream : Snapshot()) stream->EndNow(status);
}

std::vector<std::shared_ptr<LiveStream>> LiveStreams::Snapshot() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<LiveStream>> streams;
  streams.reserve(streams_.size());
  for (const auto& [key, stream] : streams_) streams.push_back(stream);
  return streams;
}

}  // namespace cordon::controller
