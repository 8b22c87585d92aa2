#include "platform/windows/processes/etw_source.h"

#include <map>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "platform/api/system.h"
#include "platform/windows/processes/command_line.h"
#include "platform/windows/processes/etw_decode.h"
#include "platform/windows/processes/same_process.h"
#include "platform/windows/system/boot.h"
#include "platform/windows/system/etw_follower.h"
#include "platform/windows/system/process_facts.h"
#include "platform/windows/system/text.h"
#include "platform/windows/system/trace_loss.h"

namespace cordon::platform {
namespace {

// Opcodes of the class.
constexpr uint8_t kStarted = 1;
constexpr uint8_t kEnded = 2;
constexpr uint8_t kRanAtStart = 3;

constexpr size_t kArgumentsKept = 32 * 1024;

class EtwSource final : public ProcessSource {
 public:
  ~EtwSource() override { Stop(); }

  absl::Status Start(std::function<void(std::span<RawProcessEvent>)> deliver) override {
    deliver_ = std::move(deliver);
    loss_.Begin(clock_->BootNanos());
    return follower_.Start({.name = L"Cordon processes", .kernel_flags = EVENT_TRACE_FLAG_PROCESS},
                           {.event = [this](const EVENT_RECORD& record) { Take(record); },
                            .buffer = [this] { Deliver(); },
                            .begun_anew = [this] { TellGap(); }});
  }

  void Stop() override { follower_.Stop(); }
  void Flush() override { follower_.Flush(); }

  int64_t StartTimeAt(int64_t boottime_nanos) const override { return StartNanosAt(boottime_nanos, *clock_); }

  ProcessSourceInfo Info() const override {
    return {.name = "etw",
            .fallback = false,
            .limitations = {
                "Of a process that ends within milliseconds the path of the program and the integrity level "
                "may not be known.",
                "CPU time is not known."}};
  }

 private:
  // TEL-1: nobody knows what began and ended while there was no session. What runs is told anew by the new
  // one.
  void TellGap() {
    const int64_t now = clock_->BootNanos();
    batch_.push_back({now, loss_.BeginAnew(now)});
    known_.clear();
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
    exec.user_sid = process.user_sid;
    if (facts.has_value()) exec.integrity_level = facts->token.integrity_level;
    exec.from_snapshot = snapshot;
    const int64_t when = BootNanosOfRecent(file_time, *clock_);
    if (!snapshot) batch_.push_back({when, RawFork{.child = key, .parent = exec.parent}});
    batch_.push_back({when, std::move(exec)});
    known_[process.pid] = key;
  }

  void TakeEnd(const EtwProcess& process, uint64_t file_time) {
    const auto known = known_.find(process.pid);
    if (known == known_.end()) return;  // it began in a gap, which tells
    batch_.push_back({BootNanosOfRecent(file_time, *clock_),
                      RawExit{.process = known->second, .exit_code = process.exit_code}});
    known_.erase(known);
  }

  // After each buffer. TEL-1: what the session could not keep becomes a gap.
  void Deliver() {
    const int64_t now = clock_->BootNanos();
    if (const auto lost = loss_.Look(follower_.Lost(), now)) batch_.push_back({now, *lost});
    if (!batch_.empty()) deliver_(batch_);
    batch_.clear();
  }

  const std::unique_ptr<Clock> clock_ = MakeSystemClock();
  std::function<void(std::span<RawProcessEvent>)> deliver_;
  // The follower's thread's own.
  std::map<uint32_t, ProcessKey> known_;
  std::vector<RawProcessEvent> batch_;
  TraceLoss loss_;

  EtwFollower follower_;  // last: its thread uses the others
};

}  // namespace

std::unique_ptr<ProcessSource> MakeEtwSource() {
  return std::make_unique<EtwSource>();
}

}  // namespace cordon::platform
