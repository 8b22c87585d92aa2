#include "agent/event/file_state.h"

#include "common/base/text.h"
#include "platform/api/file_names.h"

namespace cordon::agent {

std::string EventPath(const std::filesystem::path& path) {
  return EscapeToUtf8(platform::NameBytes(path));
}

std::string EventPath(const std::string& path) {
  return EventPath(platform::PathOfBytes(path));
}

v1::FileState EventFileState(const platform::FileMetadata& metadata, const std::string& sha256) {
  v1::FileState state;
  state.set_type(static_cast<v1::FileState::Type>(metadata.type));
  state.set_size(metadata.size);
  state.set_mode(metadata.mode);
  state.set_uid(metadata.uid);
  state.set_gid(metadata.gid);
  state.set_mtime_unix_nanos(metadata.mtime_unix_nanos);
  state.set_sha256(sha256);
  state.set_link_target(EscapeToUtf8(metadata.link_target));
  if (metadata.links > 1 && metadata.type != platform::FileType::kDirectory) state.set_links(metadata.links);
  return state;
}

}  // namespace cordon::agent
