#include "platform/linux/files/fanotify_decode.h"

#include <sys/fanotify.h>

#include <cstring>
#include <optional>

namespace cordon::platform {
namespace {

constexpr size_t kHandleHeaderBytes = 8;  // handle_bytes, handle_type

template <typename T>
std::optional<T> ReadHeader(std::string_view bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T header;
  std::memcpy(&header, bytes.data(), sizeof(T));
  return header;
}

// fsid and handle at the start of `body`; empty when they do not fit.
HandleKey ReadHandle(std::string_view body) {
  if (body.size() < kFsidBytes + kHandleHeaderBytes) return {};
  uint32_t handle_bytes = 0;
  std::memcpy(&handle_bytes, body.data() + kFsidBytes, sizeof(handle_bytes));
  if (handle_bytes > kMaxHandleBytes) return {};
  const size_t length = kFsidBytes + kHandleHeaderBytes + handle_bytes;
  if (body.size() < length) return {};
  return body.substr(0, length);
}

// A handle and the NUL-terminated name behind it. No separator may stand in a name: it would climb out of its
// folder.
std::optional<NamedEntry> ReadNamedEntry(std::string_view body) {
  NamedEntry entry{.folder = ReadHandle(body), .name = {}};
  if (!entry.Known()) return std::nullopt;
  const std::string_view rest = body.substr(entry.folder.size());
  const size_t end = rest.find('\0');
  if (end == std::string_view::npos || end == 0) return std::nullopt;
  entry.name = rest.substr(0, end);
  if (entry.name.find('/') != std::string_view::npos || entry.name == "..") return std::nullopt;
  return entry;
}

bool ReadInfo(uint8_t type, std::string_view body, FanotifyRecord& record) {
  switch (type) {
    case FAN_EVENT_INFO_TYPE_FID:
      record.target = ReadHandle(body);
      return !record.target.empty();
    case FAN_EVENT_INFO_TYPE_DFID:
      record.entry = {.folder = ReadHandle(body), .name = "."};
      return record.entry.Known();
    case FAN_EVENT_INFO_TYPE_DFID_NAME:
    case FAN_EVENT_INFO_TYPE_OLD_DFID_NAME:
    case FAN_EVENT_INFO_TYPE_NEW_DFID_NAME: {
      const std::optional<NamedEntry> entry = ReadNamedEntry(body);
      if (!entry.has_value()) return false;
      (type == FAN_EVENT_INFO_TYPE_NEW_DFID_NAME ? record.new_entry : record.entry) = *entry;
      return true;
    }
    default:
      return true;  // newer kernels may add kinds
  }
}

bool ReadInfos(std::string_view infos, FanotifyRecord& record) {
  while (!infos.empty()) {
    const auto header = ReadHeader<fanotify_event_info_header>(infos);
    if (!header.has_value() || header->len < sizeof(*header) || header->len > infos.size()) return false;
    if (!ReadInfo(header->info_type, infos.substr(sizeof(*header), header->len - sizeof(*header)), record))
      return false;
    infos.remove_prefix(header->len);
  }
  return true;
}

// The next event's metadata, when it is whole.
std::optional<fanotify_event_metadata> NextEvent(std::string_view buffer) {
  const auto metadata = ReadHeader<fanotify_event_metadata>(buffer);
  if (!metadata.has_value() || metadata->vers != FANOTIFY_METADATA_VERSION ||
      metadata->metadata_len < sizeof(*metadata) || metadata->event_len < metadata->metadata_len ||
      metadata->event_len > buffer.size()) {
    return std::nullopt;
  }
  return metadata;
}

}  // namespace

bool DecodeFanotify(std::string_view buffer, std::vector<FanotifyRecord>* records) {
  while (!buffer.empty()) {
    const auto metadata = NextEvent(buffer);
    if (!metadata.has_value()) return false;
    FanotifyRecord record{.mask = metadata->mask,
                          .pid = metadata->pid > 0 ? static_cast<uint32_t>(metadata->pid) : 0};
    const std::string_view infos =
        buffer.substr(metadata->metadata_len, metadata->event_len - metadata->metadata_len);
    if (!ReadInfos(infos, record)) return false;
    records->push_back(record);
    buffer.remove_prefix(metadata->event_len);
  }
  return true;
}

uint64_t CountFanotifyEvents(std::string_view buffer) {
  uint64_t count = 0;
  while (!buffer.empty()) {
    const auto metadata = NextEvent(buffer);
    if (!metadata.has_value()) break;
    ++count;
    buffer.remove_prefix(metadata->event_len);
  }
  return count;
}

}  // namespace cordon::platform
