#include "platform/linux/processes/decode.h"

#include <unistd.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "platform/linux/processes/proc_files.h"
#include "platform/linux/processes/record.h"

namespace cordon::platform {
namespace {

constexpr size_t kExecHead = offsetof(cordon_exec, text);

absl::Status Bad(std::string_view what) {
  return absl::InvalidArgumentError(StrCat("process record from the kernel: ", what));
}

template <typename T>
T Load(std::span<const char> bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof(T)));
  return value;
}

ProcessKey Key(const cordon_key& key) {
  return {key.pid, static_cast<int64_t>(key.start_boottime)};
}

constexpr std::string_view kRoot = "/";
constexpr std::string_view kCutBegin = ".../";  // in place of a root that the walk did not come to

// "c\0b\0a\0" -> "/a/b/c", where the path begins with "/". The name of a root dentry, "/", adds nothing.
std::string JoinReversed(std::string_view names, std::string_view begin) {
  std::string path;
  path.reserve(names.size() + begin.size());
  path = begin;
  while (!names.empty()) {
    if (names.back() == '\0') names.remove_suffix(1);
    const size_t before = names.rfind('\0');
    const std::string_view name = before == std::string_view::npos ? names : names.substr(before + 1);
    names.remove_suffix(name.size());
    if (name.empty() || name == "/") continue;
    if (path.size() > begin.size()) path += '/';
    path += name;
  }
  return path;
}

// Takes text of a record piece by piece.
class Text {
 public:
  explicit Text(std::span<const char> bytes) : left_(bytes.data(), bytes.size()) {}
  std::string_view Take(size_t size) {
    const std::string_view piece = left_.substr(0, size);
    left_.remove_prefix(piece.size());
    return piece;
  }

 private:
  std::string_view left_;
};

absl::StatusOr<DecodedRecord> DecodeExec(std::span<const char> bytes) {
  if (bytes.size() < kExecHead) return Bad("a start is shorter than its fixed part");
  const auto raw = Load<cordon_exec>(bytes.first(kExecHead));
  const uint64_t text_size =
      uint64_t{raw.argv_size} + raw.executable_size + raw.cwd_size + uint64_t{raw.cgroup_size};
  if (text_size != bytes.size() - kExecHead) return Bad("the lengths in a start do not add up to its size");
  if (raw.argv_size > raw.argv_total) return Bad("a start holds more arguments than there are");

  RawExec exec;
  Text text(bytes.subspan(kExecHead));
  exec.process = Key(raw.head.process);
  exec.parent = Key(raw.head.parent);
  exec.argv = SplitArguments(text.Take(raw.argv_size));
  exec.argv_total_bytes = raw.argv_total;
  exec.argv_complete = raw.argv_size == raw.argv_total;
  const auto begin = [&](uint32_t cut) {
    if (raw.executable_size == 0) return std::string_view();  // a kernel thread has no files
    return (raw.flags & cut) != 0 ? kCutBegin : kRoot;
  };
  exec.executable = JoinReversed(text.Take(raw.executable_size), begin(CORDON_EXECUTABLE_CUT));
  exec.cwd = JoinReversed(text.Take(raw.cwd_size), begin(CORDON_CWD_CUT));
  exec.cgroup = JoinReversed(text.Take(raw.cgroup_size), kRoot);
  exec.uid = raw.uid;
  exec.gid = raw.gid;
  exec.login_uid = raw.login_uid;
  exec.session_id = raw.session_id == kNoSession ? 0 : raw.session_id;
  exec.from_snapshot = (raw.flags & CORDON_FROM_SNAPSHOT) != 0;
  exec.from_memory = (raw.flags & CORDON_FROM_MEMORY) != 0;

  DecodedRecord decoded;
  decoded.kernel_thread = (raw.flags & CORDON_KERNEL_THREAD) != 0;
  if (decoded.kernel_thread)
    exec.argv = {StrCat("[", std::string(raw.comm, strnlen(raw.comm, sizeof(raw.comm))), "]")};
  decoded.argv_missing =
      !decoded.kernel_thread && (raw.flags & (CORDON_FROM_SNAPSHOT | CORDON_ARGV_UNREADABLE)) != 0;
  decoded.event = {static_cast<int64_t>(raw.head.boottime), std::move(exec)};
  return decoded;
}

absl::StatusOr<DecodedRecord> DecodeExit(std::span<const char> bytes) {
  if (bytes.size() != sizeof(cordon_exit)) return Bad("an end has the wrong size");
  const auto raw = Load<cordon_exit>(bytes);
  RawExit exit;
  exit.process = Key(raw.head.process);
  SetWaitStatus(raw.status, &exit);
  exit.cpu_nanos = static_cast<int64_t>(raw.cpu_nanos);
  static const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  exit.peak_memory_bytes = raw.peak_pages * page;
  return DecodedRecord{.event = {static_cast<int64_t>(raw.head.boottime), exit}};
}

absl::StatusOr<DecodedRecord> DecodePrivilegeChange(std::span<const char> bytes) {
  if (bytes.size() != sizeof(cordon_privilege)) return Bad("a change of privileges has the wrong size");
  const auto raw = Load<cordon_privilege>(bytes);
  RawPrivilegeChange change;
  change.process = Key(raw.head.process);
  change.before = {raw.uid_before, raw.gid_before, raw.capabilities_before};
  change.after = {raw.uid_after, raw.gid_after, raw.capabilities_after};
  return DecodedRecord{.event = {static_cast<int64_t>(raw.head.boottime), change}};
}

absl::StatusOr<DecodedRecord> DecodeTrace(std::span<const char> bytes) {
  if (bytes.size() != sizeof(cordon_trace)) return Bad("a trace has the wrong size");
  const auto raw = Load<cordon_trace>(bytes);
  const RawTrace trace{.tracer = Key(raw.head.process), .target = Key(raw.target)};
  return DecodedRecord{.event = {static_cast<int64_t>(raw.head.boottime), trace}};
}

absl::StatusOr<DecodedRecord> DecodeModuleLoad(std::span<const char> bytes) {
  if (bytes.size() != sizeof(cordon_module)) return Bad("a module has the wrong size");
  const auto raw = Load<cordon_module>(bytes);
  const RawModuleLoad load{.process = Key(raw.head.process),
                           .name = std::string(raw.name, strnlen(raw.name, sizeof(raw.name)))};
  return DecodedRecord{.event = {static_cast<int64_t>(raw.head.boottime), load}};
}

}  // namespace

absl::StatusOr<DecodedRecord> DecodeRecord(std::span<const char> bytes) {
  if (bytes.size() < sizeof(cordon_head)) return Bad("shorter than a head");
  const auto head = Load<cordon_head>(bytes);
  if (head.size != bytes.size()) return Bad("its size field is wrong");
  if (head.process.pid == 0) return Bad("it names no process");
  switch (head.kind) {
    case CORDON_FORK:
      if (bytes.size() != sizeof(cordon_fork)) return Bad("a fork has the wrong size");
      return DecodedRecord{.event = {static_cast<int64_t>(head.boottime),
                                     RawFork{.child = Key(head.process), .parent = Key(head.parent)}}};
    case CORDON_EXEC:
      return DecodeExec(bytes);
    case CORDON_EXIT:
      return DecodeExit(bytes);
    case CORDON_PRIVILEGE:
      return DecodePrivilegeChange(bytes);
    case CORDON_TRACE:
      return DecodeTrace(bytes);
    case CORDON_MODULE:
      return DecodeModuleLoad(bytes);
    default:
      return Bad("of an unknown kind");
  }
}

}  // namespace cordon::platform
