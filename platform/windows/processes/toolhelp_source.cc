#include "platform/windows/processes/toolhelp_source.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "common/base/status.h"
#include "platform/api/system.h"
#include "platform/windows/processes/command_line.h"
#include "platform/windows/system/boot.h"
#include "platform/windows/system/handle.h"
#include "platform/windows/system/process_facts.h"

namespace cordon::platform {
namespace {

constexpr std::chrono::milliseconds kInterval(250);
constexpr std::chrono::seconds kFlushPatience(1);
constexpr size_t kArgumentsKept = 32 * 1024;

// A process that runs; its handle keeps the pid from being used again and tells how it ended.
struct Known {
  ProcessKey key;
  Handle process;
};

class ToolhelpSource final : public ProcessSource {
 public:
  ~ToolhelpSource() override { Stop(); }

  absl::Status Start(std::function<void(std::span<RawProcessEvent>)> deliver) override {
    if (ListProcesses().empty())
      return absl::UnavailableError("the system's list of processes cannot be read");
    deliver_ = std::move(deliver);
    stop_ = false;
    thread_ = std::thread([this] { Work(); });
    return absl::OkStatus();
  }

  void Stop() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
    done_.notify_all();
  }

  void Flush() override {
    std::unique_lock lock(mutex_);
    const uint64_t wanted = ++wanted_looks_;
    wake_.notify_all();
    done_.wait_for(lock, kFlushPatience, [&] { return stop_ || served_looks_ >= wanted; });
  }

  int64_t StartTimeAt(int64_t boottime_nanos) const override { return StartNanosAt(boottime_nanos, *clock_); }

  ProcessSourceInfo Info() const override {
    return {.name = "toolhelp",
            .fallback = true,
            .limitations = {"A process that lives shorter than a quarter of a second may not be seen at all.",
                            "Start and end are seen up to a quarter of a second late.",
                            "Arguments are read from the process afterwards, which can have changed them."}};
  }

 private:
  void Work() {
    bool first = true;
    while (true) {
      uint64_t serving = 0;
      {
        std::unique_lock lock(mutex_);
        if (!first)
          wake_.wait_for(lock, kInterval, [this] { return stop_ || served_looks_ < wanted_looks_; });
        if (stop_) return;
        serving = wanted_looks_;
      }
      Look(first);
      first = false;
      if (!batch_.empty()) deliver_(batch_);
      batch_.clear();
      {
        const std::lock_guard lock(mutex_);
        served_looks_ = serving;
      }
      done_.notify_all();
    }
  }

  void Look(bool first) {
    std::vector<ListedProcess> listed = ListProcesses();
    ReportEnds();
    // Parents before children, as far as their pids tell.
    std::ranges::sort(listed, {}, &ListedProcess::pid);
    for (const ListedProcess& each : listed)
      if (each.pid != 0 && !known_.contains(each.pid)) Learn(each, first);
  }

  void ReportEnds() {
    for (auto at = known_.begin(); at != known_.end();) {
      if (WaitForSingleObject(at->second.process.Get(), 0) != WAIT_OBJECT_0) {
        ++at;
        continue;
      }
      DWORD code = 0;
      GetExitCodeProcess(at->second.process.Get(), &code);
      batch_.push_back({clock_->BootNanos(), RawExit{.process = at->second.key, .exit_code = code}});
      at = known_.erase(at);
    }
  }

  void Learn(const ListedProcess& listed, bool snapshot) {
    Handle process(OpenProcess(SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE, listed.pid));
    const std::optional<ProcessFacts> facts = ReadProcess(listed.pid);
    if (!process.Valid() || !facts.has_value()) return;  // gone, or one that nobody may ask
    const ProcessKey key{listed.pid, BootNanosOfFileTime(facts->start_file_time)};
    const auto parent = known_.find(listed.parent_pid);
    RawExec exec{.process = key, .parent = {}};
    // A pid that is in use again belongs to no parent: parents are older.
    if (parent != known_.end() && parent->second.key.start_boottime_nanos <= key.start_boottime_nanos)
      exec.parent = parent->second.key;
    exec.executable = facts->executable.empty() ? listed.name : facts->executable;
    exec.argv_total_bytes = static_cast<uint32_t>(facts->command_line.size());
    exec.argv_complete = facts->command_line.size() <= kArgumentsKept;
    exec.argv_from_proc = true;
    exec.argv = SplitCommandLine(std::string_view(facts->command_line).substr(0, kArgumentsKept));
    exec.session_id = facts->session_id;
    exec.user_sid = facts->token.user_sid;
    exec.integrity_level = facts->token.integrity_level;
    exec.from_snapshot = snapshot;
    const int64_t now = clock_->BootNanos();
    if (!snapshot) batch_.push_back({now, RawFork{.child = key, .parent = exec.parent}});
    batch_.push_back({now, std::move(exec)});
    known_.emplace(listed.pid, Known{.key = key, .process = std::move(process)});
  }

  const std::unique_ptr<Clock> clock_ = MakeSystemClock();
  std::function<void(std::span<RawProcessEvent>)> deliver_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  bool stop_ = false;  // guarded by mutex_, as the next two
  uint64_t wanted_looks_ = 0;
  uint64_t served_looks_ = 0;
  std::map<uint32_t, Known> known_;  // the thread's own, as the next
  std::vector<RawProcessEvent> batch_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<ProcessSource> MakeToolhelpSource() {
  return std::make_unique<ToolhelpSource>();
}

}  // namespace cordon::platform
