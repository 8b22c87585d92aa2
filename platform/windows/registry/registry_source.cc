#include "platform/windows/registry/registry_source.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <optional>
#include <thread>
#include <utility>

#include "common/base/status.h"
#include "platform/api/files.h"
#include "platform/api/system.h"
#include "platform/windows/registry/registry_part.h"
#include "platform/windows/system/handle.h"

namespace cordon::platform {
namespace {

constexpr wchar_t kMemoryFile[] = L"registry-memory";
// Between a change and its safe place in the spool lie seconds: after a crash it is told again.
constexpr int64_t kKeepAfter = 60 * kNanosPerSecond;

class RegistrySource final : public FileSource {
 public:
  explicit RegistrySource(std::vector<RegistryWatch> watches) : watches_(std::move(watches)) {}
  ~RegistrySource() override { Stop(); }

  absl::Status Start(const FileWatch& watch, std::function<void(std::span<RawFileEvent>)> deliver) override {
    if (watches_.size() >= MAXIMUM_WAIT_OBJECTS)
      return absl::InvalidArgumentError(
          StrCat("at most ", MAXIMUM_WAIT_OBJECTS - 1, " parts of the registry can be watched"));
    deliver_ = std::move(deliver);
    if (!watch.memory.empty()) file_ = watch.memory / kMemoryFile;
    if (!file_.empty()) Remember();
    catch_up_ = watch.catch_up;
    stop_ = Handle(CreateEventW(nullptr, TRUE, FALSE, nullptr));
    std::promise<void> looked;
    const std::future<void> first_look = looked.get_future();
    // What it asks the system for ends with the thread.
    thread_ = std::thread([this, looked = std::move(looked)]() mutable { Run(looked); });
    first_look.wait();
    return absl::OkStatus();
  }

  void Stop() override {
    if (!thread_.joinable()) return;
    SetEvent(stop_.Get());
    thread_.join();
  }

  FileSourceInfo Info() const override {
    FileSourceInfo info{
        .name = "registry",
        .limitations = {
            "Who changed a registry key is not known; of a value that changes twice within a moment "
            "the last state alone is told."}};
    if (damaged_)
      info.limitations.emplace_back(
          "What changed in the registry before this start is not known: its memory was damaged.");
    if (failed_)
      info.limitations.emplace_back("Registry keys are not looked at any more: the system does not wait.");
    if (cut_) info.limitations.emplace_back("Some registry keys cannot be looked at, or are too many.");
    return info;
  }

 private:
  void Remember() {
    const absl::StatusOr<std::string> text = ReadFileBounded(file_, kMostRegistryMemoryBytes);
    if (absl::IsNotFound(text.status())) return;
    absl::StatusOr<RegistryMemory> memory =
        text.ok() ? ParseRegistryMemory(*text) : absl::StatusOr<RegistryMemory>(text.status());
    damaged_ = !memory.ok();
    if (damaged_)
      spdlog::warn("registry: what was kept of the last look is damaged: {}", Message(memory.status()));
    if (memory.ok()) before_ = *std::move(memory);
  }

  void Run(std::promise<void>& looked) {
    std::vector<RegistryPart> parts;
    for (const RegistryWatch& watch : watches_) parts.emplace_back(watch);
    keep_at_ = clock_->BootNanos() + kKeepAfter;  // the first look is kept too
    LookAtDue(parts, catch_up_ ? before_ : RegistryMemory());
    for (const RegistryPart& part : parts)
      for (const auto& [key, entries] : part.LastLooks()) before_.erase(key);
    looked.set_value();
    while (Wait(parts)) {
      LookAtDue(parts, before_);
      if (keep_at_.has_value() && clock_->BootNanos() >= *keep_at_) Keep(parts);
    }
    if (keep_at_.has_value()) Keep(parts);
  }

  void Keep(const std::vector<RegistryPart>& parts) {
    keep_at_.reset();
    if (file_.empty()) return;
    RegistryMemory memory = before_;  // of users who have not logged on since
    for (const RegistryPart& part : parts)
      for (const auto& [key, entries] : part.LastLooks()) memory[key] = entries;
    const absl::Status kept = WriteFileDurably(file_, FormatRegistryMemory(memory), FileAccess::kOwnerOnly);
    if (!kept.ok()) spdlog::warn("registry: the last look is not kept: {}", Message(kept));
  }

  // Until something is due; false: stop.
  bool Wait(std::vector<RegistryPart>& parts) {
    std::vector<HANDLE> events = {stop_.Get()};
    std::optional<int64_t> next = keep_at_;
    for (const RegistryPart& part : parts) {
      if (!part.Due()) events.push_back(part.Event());
      if (part.Due()) next = std::min(next.value_or(part.Next()), part.Next());
    }
    DWORD millis = INFINITE;
    if (next.has_value()) {
      const int64_t wait = std::max<int64_t>(*next - clock_->BootNanos(), 0);
      millis = static_cast<DWORD>((wait + kNanosPerMilli - 1) / kNanosPerMilli);
    }
    const DWORD woken =
        WaitForMultipleObjects(static_cast<DWORD>(events.size()), events.data(), FALSE, millis);
    if (woken == WAIT_FAILED) failed_ = true;
    if (woken == WAIT_OBJECT_0 || woken == WAIT_FAILED) return false;
    for (RegistryPart& part : parts)
      if (WaitForSingleObject(part.Event(), 0) == WAIT_OBJECT_0) part.SetDue();
    return true;
  }

  void LookAtDue(std::vector<RegistryPart>& parts, const RegistryMemory& before) {
    const int64_t now = clock_->BootNanos();
    std::vector<RawFileEvent> events;
    for (RegistryPart& part : parts)
      if (part.Due() && part.Next() <= now) part.Look(*clock_, before, &events);
    cut_ = std::ranges::any_of(parts, &RegistryPart::Cut);
    if (events.empty()) return;
    if (!keep_at_.has_value()) keep_at_ = now + kKeepAfter;
    deliver_(events);
  }

  const std::vector<RegistryWatch> watches_;
  const std::unique_ptr<Clock> clock_ = MakeSystemClock();
  std::function<void(std::span<RawFileEvent>)> deliver_;
  std::filesystem::path file_;  // empty: nothing is kept
  RegistryMemory before_;       // of an agent before this one: what has not been looked at yet
  bool catch_up_ = false;
  bool damaged_ = false;
  std::atomic<bool> cut_ = false;     // at the last look
  std::atomic<bool> failed_ = false;  // there are no more looks
  std::optional<int64_t> keep_at_;    // the thread's own
  Handle stop_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<FileSource> MakeRegistrySource(std::vector<RegistryWatch> watches) {
  return std::make_unique<RegistrySource>(std::move(watches));
}

}  // namespace cordon::platform
