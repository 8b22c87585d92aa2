#include <utility>

#include "common/base/address_bytes.h"
#include "common/base/hex.h"
#include "common/base/strings.h"
#include "controller/export/ocsf_line.h"

namespace cordon::controller::ocsf {
namespace {

constexpr int64_t kNanosPerMilli = 1'000'000;

std::string CommandLine(const v1::ProcessStarted& started) {
  std::string text;
  for (const std::string& argument : started.argv()) StrAppend(&text, text.empty() ? "" : " ", argument);
  return text;
}

}  // namespace

int64_t Millis(int64_t nanos) {
  return nanos / kNanosPerMilli;
}

std::string_view BaseName(std::string_view path) {
  const std::string_view name = path.substr(path.find_last_of("/\\") + 1);
  return name.empty() ? path : name;
}

object ProgramFile(const std::string& executable) {
  return {{"name", BaseName(executable)}, {"path", executable}, {"type_id", 1}};
}

object ProcessOf(uint32_t pid, const std::string& guid) {
  object process;
  if (pid != 0) process["pid"] = pid;
  if (!guid.empty()) process["uid"] = HexEncode(guid);
  return process;
}

object ActorOf(object process) {
  if (process.empty()) return {{"app_name", "unknown"}};
  return {{"process", std::move(process)}};
}

Line Forked(const v1::ProcessForked& forked) {
  Line line{.of = Class::kProcessActivity, .activity = 1};
  line.attributes["actor"] = ActorOf(ProcessOf(0, forked.parent_guid()));
  line.attributes["process"] = ProcessOf(forked.pid(), forked.process_guid());
  line.attributes["launch_type_id"] = 2;
  return line;
}

Line Started(const v1::ProcessStarted& started) {
  Line line{.of = Class::kProcessActivity, .activity = 1};
  object parent = ProcessOf(started.parent_pid(), started.parent_guid());
  object process = ProcessOf(started.pid(), started.process_guid());
  process["name"] = BaseName(started.executable());
  process["cmd_line"] = CommandLine(started);
  process["file"] = ProgramFile(started.executable());
  if (!started.cwd().empty()) process["working_directory"] = started.cwd();
  process["user"] =
      object{{"uid", started.user_sid().empty() ? std::to_string(started.uid()) : started.user_sid()}};
  if (!started.container_id().empty()) process["container"] = object{{"uid", started.container_id()}};
  if (!parent.empty()) process["parent_process"] = parent;
  line.attributes["actor"] = ActorOf(std::move(parent));
  line.attributes["process"] = std::move(process);
  line.attributes["launch_type_id"] = 3;
  return line;
}

Line Ended(const v1::ProcessEnded& ended) {
  Line line{.of = Class::kProcessActivity, .activity = 2};
  object process = ProcessOf(ended.pid(), ended.process_guid());
  line.attributes["actor"] = ActorOf(process);  // who ended it is not seen
  line.attributes["process"] = std::move(process);
  line.attributes["exit_code"] = ended.exit_code();
  return line;
}

Line PrivilegeChanged(const v1::PrivilegeChanged& changed) {
  const bool another_user = changed.uid_before() != changed.uid_after();
  Line line{.of = Class::kProcessActivity, .activity = another_user ? 5 : kOther};
  if (!another_user) line.activity_name = "Privileges changed";
  object process = ProcessOf(changed.pid(), changed.process_guid());
  line.attributes["actor"] = ActorOf(process);
  process["user"] = object{{"uid", std::to_string(changed.uid_after())}};
  line.attributes["process"] = std::move(process);
  if (changed.uid_after() == 0 && another_user) line.severity = Severity::kLow;
  return line;
}

Line Traced(const v1::ProcessTraced& traced) {
  Line line{.of = Class::kProcessActivity, .activity = 3, .severity = Severity::kLow};
  line.attributes["actor"] = ActorOf(ProcessOf(traced.pid(), traced.process_guid()));
  line.attributes["process"] = ProcessOf(traced.target_pid(), traced.target_guid());
  return line;
}

Line ModuleLoaded(const v1::ModuleLoaded& loaded) {
  Line line{.of = Class::kKernelExtensionActivity, .activity = 1, .severity = Severity::kLow};
  line.attributes["actor"] = ActorOf(ProcessOf(loaded.pid(), loaded.process_guid()));
  line.attributes["driver"] = object{{"file", object{{"name", loaded.name()}, {"type_id", 0}}}};
  return line;
}

Line Connected(const v1::Connection& connection, std::string_view host_name) {
  Line line{.of = Class::kNetworkActivity, .activity = 1};
  const bool in = connection.direction() == v1::Connection::DIRECTION_IN;
  object remote;
  if (const auto address = AddressOfBytes(connection.remote_address())) remote["ip"] = address->to_string();
  if (!connection.remote_name().empty()) remote["hostname"] = connection.remote_name();
  object own = {{"hostname", host_name}};
  (in ? own : remote)["port"] = connection.port();
  line.attributes["src_endpoint"] = in ? remote : own;
  line.attributes["dst_endpoint"] = in ? std::move(own) : std::move(remote);
  line.attributes["connection_info"] =
      object{{"direction_id", in ? 1 : 2}, {"protocol_num", connection.protocol()}};
  object process = ProcessOf(connection.pid(), connection.process_guid());
  if (!process.empty() && !connection.executable().empty()) {
    process["file"] = ProgramFile(connection.executable());
  }
  line.attributes["actor"] = ActorOf(std::move(process));
  line.attributes["count"] = connection.times();
  return line;
}

}  // namespace cordon::controller::ocsf
