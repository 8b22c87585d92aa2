#include "platform/linux/processes/connector_decode.h"

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace cordon::platform {
namespace {

template <typename T>
std::optional<T> Load(std::span<const char> bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T value{};
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

std::optional<ConnectorEvent> DecodeEvent(std::span<const char> bytes) {
  const auto id = Load<cb_id>(bytes);  // cn_msg begins with it
  if (!id.has_value() || id->idx != CN_IDX_PROC || id->val != CN_VAL_PROC) return std::nullopt;
  if (bytes.size() < sizeof(cn_msg)) return std::nullopt;
  bytes = bytes.subspan(sizeof(cn_msg));
  const auto raw = Load<proc_event>(bytes);  // the union is as large as its largest kind: always sent whole
  if (!raw.has_value()) return std::nullopt;
  ConnectorEvent event{.monotonic_nanos = static_cast<int64_t>(raw->timestamp_ns)};
  switch (raw->what) {
    case proc_event::PROC_EVENT_FORK:
      event.kind = ConnectorEvent::kFork;
      event.pid = static_cast<uint32_t>(raw->event_data.fork.child_pid);
      event.parent_pid = static_cast<uint32_t>(raw->event_data.fork.parent_tgid);
      if (raw->event_data.fork.child_pid != raw->event_data.fork.child_tgid) return std::nullopt;
      return event;
    case proc_event::PROC_EVENT_EXEC:
      event.kind = ConnectorEvent::kExec;
      event.pid = static_cast<uint32_t>(raw->event_data.exec.process_tgid);
      return event;
    case proc_event::PROC_EVENT_EXIT:
      event.kind = ConnectorEvent::kExit;
      event.pid = static_cast<uint32_t>(raw->event_data.exit.process_tgid);
      event.status = raw->event_data.exit.exit_code;
      if (raw->event_data.exit.process_pid != raw->event_data.exit.process_tgid) return std::nullopt;
      return event;
    case proc_event::PROC_EVENT_UID:
      event.kind = ConnectorEvent::kUserId;
      event.pid = static_cast<uint32_t>(raw->event_data.id.process_tgid);
      event.effective_id = raw->event_data.id.e.euid;
      return event;
    case proc_event::PROC_EVENT_GID:
      event.kind = ConnectorEvent::kGroupId;
      event.pid = static_cast<uint32_t>(raw->event_data.id.process_tgid);
      event.effective_id = raw->event_data.id.e.egid;
      return event;
    case proc_event::PROC_EVENT_PTRACE:
      event.kind = ConnectorEvent::kTrace;
      event.pid = static_cast<uint32_t>(raw->event_data.ptrace.process_tgid);
      event.tracer_pid = static_cast<uint32_t>(raw->event_data.ptrace.tracer_tgid);
      if (event.tracer_pid == 0) return std::nullopt;
      return event;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::vector<ConnectorEvent> DecodeConnector(std::span<const char> datagram) {
  std::vector<ConnectorEvent> events;
  while (const auto head = Load<nlmsghdr>(datagram)) {
    if (head->nlmsg_len < sizeof(nlmsghdr) || head->nlmsg_len > datagram.size()) break;
    if (const auto event =
            DecodeEvent(datagram.subspan(sizeof(nlmsghdr), head->nlmsg_len - sizeof(nlmsghdr)))) {
      events.push_back(*event);
    }
    datagram = datagram.subspan(std::min<size_t>(NLMSG_ALIGN(head->nlmsg_len), datagram.size()));
  }
  return events;
}

}  // namespace cordon::platform
