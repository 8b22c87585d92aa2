#include "platform/windows/processes/etw_source.h"

#include <spdlog/spdlog.h>

#include <array>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "platform/api/system.h"
#include "platform/windows/processes/command_line.h"
#include "platform/windows/processes/etw_decode.h"
#include "platform/windows/processes/same_process.h"
#include "platform/windows/system/boot.h"
#include "platform/windows/system/etw.h"
#include "platform/windows/system/process_facts.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

// Opcodes of the class.
constexpr uint8_t kStarted = 1;
constexpr uint8_t kEnded = 2;
constexpr uint8_t kRanAtStart = 3;

constexpr size_t kArgumentsKept = 32 * 1024;
constexpr std::chrono::seconds kFlushPatience(1);
constexpr std::chrono::seconds kOpenAgainEvery(5);

class EtwSource final : public ProcessSource {
 public:
  ~EtwSource() override { Stop(); }

  absl::Status Start(std::function<void(std::span<RawProcessEvent>)> deliver) override {
    deliver_ = std::move(deliver);
    stopped_ = false;
    CORDON_RETURN_IF_ERROR(Open());
    last_look_ = clock_->BootNanos();
    thread_ = std::thread([this] { Work(); });
    return absl::OkStatus();
  }

  void Stop() override {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    delivered_.notify_all();
    {
      const std::lock_guard lock(session_mutex_);
      session_.Close();  // after it, Process returns
    }
    if (thread_.joinable()) thread_.join();
  }

  // The session hands over a buffer when it is asked to; buffers are handed over in order.
  void Flush() override {
    std::unique_lock lock(mutex_);
    const uint64_t wanted = buffers_ + 1;
    lock.unlock();
    {
      const std::lock_guard session_lock(session_mutex_);
      session_.Flush();
    }
    lock.lock();
    delivered_.wait_for(lock, kFlushPatience, [&] { return stopped_ || buffers_ >= wanted; });
  }

  ProcessSourceInfo Info() const override {
    return {.name = "etw",
            .fallback = false,
            .limitations = {
                "Of a process that ends within milliseconds the path of the program may not be known.",
                "Integrity level and CPU time are not known."}};
  }

 private:
  absl::Status Open() {
    return session_.Open(
        L"Cordon processes", EVENT_TRACE_FLAG_PROCESS, [this](const EVENT_RECORD& record) { Take(record); },
        [this] { Deliver(); });
  }

  // Whoever may, ends sessions of others (logman stop): then a new one is opened until one stands.
  void Work() {
    while (true) {
      session_.Process();
      while (!OpenAgain()) {
        std::unique_lock lock(mutex_);
        if (delivered_.wait_for(lock, kOpenAgainEvery, [this] { return stopped_; })) return;
      }
      TellGap();
    }
  }

  bool OpenAgain() {
    const std::lock_guard session_lock(session_mutex_);
    {
      const std::lock_guard lock(mutex_);
      if (stopped_) return false;
    }
    session_.Close();
    const absl::Status opened = Open();
    if (!opened.ok())
      spdlog::warn("the trace of processes has ended, and no new one begins: {}", Message(opened));
    return opened.ok();
  }

  // TEL-1: nobody knows what began and ended while there was no session. What runs is told anew by the new
  // one.
  void TellGap() {
    const int64_t now = clock_->BootNanos();
    batch_.push_back(
        {now, RawLoss{.count = 0, .first_boottime_nanos = last_look_, .last_boottime_nanos = now}});
    known_.clear();
    lost_ = 0;
    Deliver();
  }

  void Take(const EVENT_RECORD& record) {
    const uint8_t opcode = record.EventHeader.EventDescriptor.Opcode;
    const std::optional<EtwProcess> process =
        DecodeEtwProcess({static_cast<const uint8_t*>(record.UserData), record.UserDataLength},
                         record.EventHeader.EventDescriptor.Version);
    const auto file_time = static_cast<uint64_t>(record.EventHeader.TimeStamp.QuadPart);
    if (!process.has_value()) return;
    if (opcode == kStarted || opcode == kRanAtStart) TakeStart(*process, file_time, opcode == kRanAtStart);
    if (opcode == kEnded) TakeEnd(*process, file_time);
  }

  void TakeStart(const EtwProcess& process, uint64_t file_time, bool snapshot) {
    // The system's own start time names the process for others too; the event's is a moment later.
    std::optional<ProcessFacts> facts = ReadProcess(process.pid);
    if (facts.has_value() && !CanBeOf(facts->start_file_time, file_time)) facts.reset();
    const uint64_t start = facts.has_value() ? facts->start_file_time : file_time;
    const ProcessKey key{process.pid, BootNanosOfFileTime(start)};
    RawExec exec{.process = key, .parent = ParentOf(key, process.parent_pid, known_)};
    exec.executable = facts.has_value() && !facts->executable.empty() ? facts->executable : process.image;
    const std::string line =
        Narrow({reinterpret_cast<const wchar_t*>(process.command_line.data()), process.command_line.size()});
    exec.argv_total_bytes = static_cast<uint32_t>(line.size());
    exec.argv_complete = line.size() <= kArgumentsKept;
    exec.argv = SplitCommandLine(std::string_view(line).substr(0, kArgumentsKept));
    exec.session_id = process.session_id;
    exec.from_snapshot = snapshot;
    const int64_t when = BootNanosOfFileTime(file_time);
    if (!snapshot) batch_.push_back({when, RawFork{.child = key, .parent = exec.parent}});
    batch_.push_back({when, std::move(exec)});
    known_[process.pid] = key;
  }

  void TakeEnd(const EtwProcess& process, uint64_t file_time) {
    const auto known = known_.find(process.pid);
    if (known == known_.end()) return;  // it began in a gap, which tells
    batch_.push_back(
        {BootNanosOfFileTime(file_time), RawExit{.process = known->second, .exit_code = process.exit_code}});
    known_.erase(known);
  }

  // After each buffer. TEL-1: what the session could not keep becomes a gap.
  void Deliver() {
    const int64_t now = clock_->BootNanos();
    const uint64_t lost = session_.Lost();
    if (lost > lost_)
      batch_.push_back(
          {now,
           RawLoss{.count = lost - lost_, .first_boottime_nanos = last_look_, .last_boottime_nanos = now}});
    lost_ = lost;
    last_look_ = now;
    if (!batch_.empty()) deliver_(batch_);
    batch_.clear();
    const std::lock_guard lock(mutex_);
    ++buffers_;
    delivered_.notify_all();
  }

  const std::unique_ptr<Clock> clock_ = MakeSystemClock();
  std::function<void(std::span<RawProcessEvent>)> deliver_;
  // The session's thread's own.
  std::map<uint32_t, ProcessKey> known_;
  std::vector<RawProcessEvent> batch_;
  uint64_t lost_ = 0;
  int64_t last_look_ = 0;

  std::mutex mutex_;
  std::condition_variable delivered_;
  uint64_t buffers_ = 0;  // guarded by mutex_, as the next
  bool stopped_ = false;
  std::mutex session_mutex_;  // of opening, closing and flushing; taken before mutex_
  EtwSession session_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<ProcessSource> MakeEtwSource() {
  return std::make_unique<EtwSource>();
}

}  // namespace cordon::platform
