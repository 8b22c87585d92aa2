#include "platform/linux/processes/proc_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <memory>

#include "common/base/clock.h"
#include "common/base/strings.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {
namespace {

constexpr uint32_t kKernelThread = 0x00200000;

std::optional<std::string> ReadUpTo(const std::string& path, size_t limit) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.Valid()) return std::nullopt;
  std::string content;
  std::array<char, 4096> piece;
  while (content.size() < limit) {
    const ssize_t got = read(fd.Get(), piece.data(), std::min(piece.size(), limit - content.size()));
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    content.append(piece.data(), static_cast<size_t>(got));
  }
  return content;
}

std::string ReadLink(const std::string& path) {
  std::array<char, 4096> target;
  const ssize_t size = readlink(path.c_str(), target.data(), target.size());
  return size > 0 ? std::string(target.data(), static_cast<size_t>(size)) : std::string();
}

std::string ProcPath(uint32_t pid, std::string_view file) {
  return StrCat("/proc/", pid, "/", file);
}

template <typename T>
bool Number(std::string_view text, T* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

// The words of `text` between blanks and tabs.
std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t at = 0; (at = text.find_first_not_of(" \t\n", at)) != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(" \t\n", at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

std::string_view NextLine(std::string_view* text) {
  const size_t end = text->find('\n');
  const std::string_view line = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return line;
}

uint32_t ReadNumberFile(const std::string& path, uint32_t otherwise) {
  uint32_t value = 0;
  const auto text = ReadUpTo(path, 32);
  if (!text.has_value()) return otherwise;
  std::string_view digits = *text;
  if (digits.ends_with('\n')) digits.remove_suffix(1);
  return Number(digits, &value) ? value : otherwise;
}

std::string BracketedName(const std::string& stat) {
  const size_t begin = stat.find('(');
  const size_t end = stat.rfind(')');
  if (begin == std::string::npos || end == std::string::npos || end < begin) return {};
  return StrCat("[", stat.substr(begin + 1, end - begin - 1), "]");
}

constexpr std::string_view kDeletedMark = " (deleted)";

std::string WithoutDeletedMark(std::string path) {
  if (path.ends_with(kDeletedMark)) path.resize(path.size() - kDeletedMark.size());
  return path;
}

}  // namespace

std::vector<std::string> SplitArguments(std::string_view area) {
  std::vector<std::string> argv;
  while (!area.empty()) {
    const size_t end = area.find('\0');
    argv.emplace_back(area.substr(0, end));
    area.remove_prefix(end == std::string_view::npos ? area.size() : end + 1);
  }
  return argv;
}

void SetWaitStatus(uint32_t status, RawExit* exit) {
  exit->signal = status & 0x7f;
  exit->exit_code = exit->signal == 0 ? (status >> 8) & 0xff : 0;
}

int64_t TicksToNanos(uint64_t ticks) {
  static const uint64_t per_second = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  return static_cast<int64_t>(ticks * (kNanosPerSecond / per_second));
}

std::optional<ProcStat> ParseProcStat(std::string_view text) {
  const size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  // From field 3 (state) on: 4 = parent, 9 = flags, 20 = threads, 22 = start.
  const std::vector<std::string_view> fields = Words(text.substr(name_end + 1));
  ProcStat stat;
  if (fields.size() < 20 || !Number(fields[1], &stat.parent_pid) || !Number(fields[6], &stat.flags) ||
      !Number(fields[17], &stat.threads) || !Number(fields[19], &stat.start_ticks)) {
    return std::nullopt;
  }
  stat.state = fields[0].front();
  return stat;
}

std::optional<ProcIds> ParseProcStatus(std::string_view text) {
  ProcIds ids;
  int found = 0;
  while (!text.empty()) {
    const std::vector<std::string_view> words = Words(NextLine(&text));
    if (words.size() < 2) continue;
    if (words[0] == "Uid:" && Number(words[1], &ids.uid)) ++found;
    if (words[0] == "Gid:" && Number(words[1], &ids.gid)) ++found;
  }
  if (found != 2) return std::nullopt;
  return ids;
}

std::string ParseProcCgroup(std::string_view text) {
  std::string_view unified = "/";
  std::string_view memory = "/";
  std::string_view pids = "/";
  while (!text.empty()) {
    const std::string_view line = NextLine(&text);
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string_view path = line.substr(second + 1);
    if (controllers.empty()) unified = path;
    if (controllers == "memory") memory = path;
    if (controllers == "pids") pids = path;
  }
  return std::string(unified != "/" ? unified : memory != "/" ? memory : pids);
}

std::optional<ProcArguments> ReadProcArguments(uint32_t pid) {
  const auto area = ReadUpTo(ProcPath(pid, "cmdline"), kProcArgumentsKept + 1);
  if (!area.has_value() || area->empty()) return std::nullopt;
  ProcArguments arguments;
  const std::string_view kept = std::string_view(*area).substr(0, kProcArgumentsKept);
  arguments.argv = SplitArguments(kept);
  arguments.bytes = static_cast<uint32_t>(area->size());
  arguments.complete = kept.size() == area->size();
  return arguments;
}

std::vector<uint32_t> ListProcPids() {
  std::vector<uint32_t> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc"), closedir);
  if (folder == nullptr) return pids;
  while (const dirent* entry = readdir(folder.get())) {
    uint32_t pid = 0;
    if (Number(std::string_view(entry->d_name), &pid)) pids.push_back(pid);
  }
  return pids;
}

bool IsProcAlive(uint32_t pid) {
  const auto text = ReadUpTo(ProcPath(pid, "stat"), 4096);
  const auto stat = text.has_value() ? ParseProcStat(*text) : std::nullopt;
  if (!stat.has_value()) return false;
  const bool first_ended = stat->state == 'Z' || stat->state == 'X';
  return !first_ended || stat->threads > 1;
}

std::optional<int64_t> ReadProcStart(uint32_t pid) {
  const auto text = ReadUpTo(ProcPath(pid, "stat"), 4096);
  const auto stat = text.has_value() ? ParseProcStat(*text) : std::nullopt;
  if (!stat.has_value()) return std::nullopt;
  return TicksToNanos(stat->start_ticks);
}

std::optional<RawExec> ReadProcProcess(uint32_t pid) {
  const auto stat_text = ReadUpTo(ProcPath(pid, "stat"), 4096);
  const auto stat = stat_text.has_value() ? ParseProcStat(*stat_text) : std::nullopt;
  if (!stat.has_value()) return std::nullopt;
  RawExec exec;
  exec.process = {pid, TicksToNanos(stat->start_ticks)};
  exec.parent = {stat->parent_pid, ReadProcStart(stat->parent_pid).value_or(0)};
  exec.argv_from_proc = true;
  if ((stat->flags & kKernelThread) != 0) {
    exec.argv = {BracketedName(*stat_text)};
  } else if (auto arguments = ReadProcArguments(pid); arguments.has_value()) {
    exec.argv = std::move(arguments->argv);
    exec.argv_total_bytes = arguments->bytes;
    exec.argv_complete = arguments->complete;
  }
  exec.executable = ReadLink(ProcPath(pid, "exe"));
  exec.from_memory = exec.executable.ends_with(kDeletedMark);
  exec.executable = WithoutDeletedMark(std::move(exec.executable));
  exec.cwd = WithoutDeletedMark(ReadLink(ProcPath(pid, "cwd")));
  if (const auto status = ReadUpTo(ProcPath(pid, "status"), 8192); status.has_value()) {
    const ProcIds ids = ParseProcStatus(*status).value_or(ProcIds{});
    exec.uid = ids.uid;
    exec.gid = ids.gid;
  }
  exec.login_uid = ReadNumberFile(ProcPath(pid, "loginuid"), 0xffffffff);
  const uint32_t session = ReadNumberFile(ProcPath(pid, "sessionid"), kNoSession);
  exec.session_id = session == kNoSession ? 0 : session;
  exec.cgroup = ParseProcCgroup(ReadUpTo(ProcPath(pid, "cgroup"), 16'384).value_or(""));
  // Another process may have taken the pid while this was read.
  if (ReadProcStart(pid) != exec.process.start_boottime_nanos) return std::nullopt;
  return exec;
}

}  // namespace cordon::platform
