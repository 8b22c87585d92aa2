#include "platform/windows/files/named_source.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <thread>
#include <utility>

#include "common/base/status.h"
#include "common/base/strings.h"

namespace cordon::platform {
namespace {

// A group; whoever brings more waits, and the kernel's buffer holds what comes meanwhile.
constexpr size_t kMostHeld = 16'384;

class NamedSource final : public FileSource {
 public:
  NamedSource(std::unique_ptr<FileSource> files, std::unique_ptr<FileTrace> trace,
              std::chrono::milliseconds hold)
      : files_(std::move(files)), trace_(std::move(trace)), hold_(hold) {}
  ~NamedSource() override { Stop(); }

  absl::Status Start(const FileWatch& watch, std::function<void(std::span<RawFileEvent>)> deliver) override {
    deliver_ = std::move(deliver);
    stopping_ = false;
    no_trace_ = trace_->Start(watch);
    if (!no_trace_.ok()) {
      spdlog::info("who changes files is not told: {}", Message(no_trace_));
      return files_->Start(watch, deliver_);
    }
    thread_ = std::thread([this] { Work(); });
    absl::Status started = files_->Start(watch, [this](std::span<RawFileEvent> events) { Hold(events); });
    if (!started.ok()) StopNaming();
    return started;
  }

  // First whoever brings changes, so that all that it brought is told.
  void Stop() override {
    files_->Stop();
    StopNaming();
  }

  FileSourceInfo Info() const override {
    FileSourceInfo info = files_->Info();
    if (!no_trace_.ok()) {
      info.limitations.push_back(StrCat("Who changed a file is not known (", Message(no_trace_), ")."));
    } else if (!trace_->Follows()) {
      info.limitations.emplace_back("Who changed a file is not known: the kernel's trace was ended.");
    } else {
      info.limitations.emplace_back(
          "Who changed a file is told as far as the kernel's trace has it: not of what is written into "
          "memory, "
          "nor of files that have been open since before the agent started.");
    }
    return info;
  }

 private:
  void Hold(std::span<RawFileEvent> events) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return held_.size() < kMostHeld; });
    std::ranges::move(events, std::back_inserter(held_));
    changed_.notify_all();
  }

  void Work() {
    while (true) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !held_.empty(); });
      if (held_.empty()) return;
      std::vector<RawFileEvent> group = std::exchange(held_, {});
      changed_.notify_all();
      lock.unlock();
      WaitForTrace(group);
      for (RawFileEvent& event : group) Name(event);
      deliver_(group);
    }
  }

  // Also while it stops: what happened last is named like the rest.
  void WaitForTrace(std::span<const RawFileEvent> group) {
    const bool of_before = std::ranges::all_of(group, &RawFileEvent::while_away);
    if (of_before || !trace_->Follows()) return;
    trace_->Hurry();
    std::this_thread::sleep_for(hold_);
  }

  void Name(RawFileEvent& event) const {
    const std::optional<FileDoer> doer = trace_->Find(event);
    if (!doer.has_value()) return;
    event.pid = doer->pid;
    event.boottime_nanos = doer->boottime_nanos;
  }

  void StopNaming() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    trace_->Stop();
  }

  const std::unique_ptr<FileSource> files_;
  const std::unique_ptr<FileTrace> trace_;
  const std::chrono::milliseconds hold_;
  std::function<void(std::span<RawFileEvent>)> deliver_;
  absl::Status no_trace_ = absl::UnavailableError("it is not started");
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<RawFileEvent> held_;  // guarded by mutex_, as the next
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<FileSource> MakeNamedSource(std::unique_ptr<FileSource> files,
                                            std::unique_ptr<FileTrace> trace,
                                            std::chrono::milliseconds hold) {
  return std::make_unique<NamedSource>(std::move(files), std::move(trace), hold);
}

}  // namespace cordon::platform
