#include "platform/windows/registry/registry_source.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "common/base/status.h"
#include "platform/api/file_names.h"
#include "platform/api/system.h"
#include "platform/windows/registry/registry_reader.h"
#include "platform/windows/system/handle.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

// A look is made when the system says that something changed, and takes at most a five-hundredth of the time:
// below Services something changes all the time.
constexpr int64_t kShare = 500;
constexpr int64_t kLeastPause = 200 * kNanosPerMilli;
// Where nothing says that something changed. Keys of users are never held open: a hive that somebody has keys
// of open is not unloaded when its user logs off.
constexpr int64_t kAnywayEvery = 5 * kNanosPerSecond;
constexpr size_t kMostHivesKept = 256;

RawFileEvent EventOf(const RegistryChange& change, int64_t now) {
  auto state = std::make_shared<RegistryState>();
  state->exists = change.kind != RawFileEvent::kDeleted;
  state->is_key = change.entry.is_key;
  state->size = change.entry.size;
  state->sha256 = change.entry.sha256;
  state->text = change.entry.text;
  RawFileEvent event{.kind = change.kind,
                     .is_directory = change.entry.is_key,
                     .path = PathOfBytes(change.path),
                     .boottime_nanos = now};
  event.registry = std::move(state);
  return event;
}

// A watched part of the registry, and what stood there last. The source's thread's own.
class Part {
 public:
  explicit Part(RegistryWatch watch)
      : watch_(std::move(watch)), event_(CreateEventW(nullptr, TRUE, FALSE, nullptr)) {}

  bool OfUsers() const { return watch_.of_users; }
  HANDLE Event() const { return event_.Get(); }
  bool Due() const { return due_; }
  int64_t Next() const { return next_; }
  void SetDue() { due_ = true; }

  // What changed since the look before; nothing for a hive that was not there then.
  void Look(const Clock& clock, std::vector<RawFileEvent>* events) {
    const int64_t began = clock.BootNanos();
    due_ = watch_.of_users || !Arm();  // before: what changes while this looks is looked at again
    if (watch_.of_users) {
      LookAtUsers(began, events);
    } else {
      LookAt(HKEY_LOCAL_MACHINE, "HKLM", began, events);
    }
    const int64_t now = clock.BootNanos();
    next_ = now + std::max(due_ ? kAnywayEvery : kLeastPause, kShare * (now - began));
  }

  // Some entries could not be looked at.
  bool Cut() const { return cut_; }

 private:
  void LookAtUsers(int64_t now, std::vector<RawFileEvent>* events) {
    for (const std::wstring& user : LoadedUsers()) {
      RegistryKey hive;
      if (hive.Open(HKEY_USERS, user) == ERROR_SUCCESS)
        LookAt(hive.Get(), StrCat("HKU/", Narrow(user)), now, events);
    }
  }

  void LookAt(HKEY root, const std::string& hive, int64_t now, std::vector<RawFileEvent>* events) {
    RegistryLook look = LookAtRegistry(root, hive, watch_);
    cut_ = cut_ || !look.whole;
    const auto known = last_.find(hive);
    if (known == last_.end()) {
      if (last_.size() < kMostHivesKept) last_.emplace(hive, std::move(look.entries));
      return;
    }
    for (const RegistryChange& change : CompareSnapshots(known->second, look.entries, look.whole))
      events->push_back(EventOf(change, now));
    if (!look.whole) look.entries.merge(known->second);  // what was not seen now
    known->second = std::move(look.entries);
  }

  // The key, or while there is none what is nearest above it, where it would come.
  // False: nobody will say when something changes.
  bool Arm() {
    armed_ = RegistryKey();  // which sets the event
    ResetEvent(event_.Get());
    std::wstring name(watch_.key.begin(), watch_.key.end());
    const bool itself = armed_.Open(HKEY_LOCAL_MACHINE, name) == ERROR_SUCCESS;
    while (!armed_.Valid() && !name.empty()) {
      name.resize(name.contains(L'\\') ? name.rfind(L'\\') : 0);
      armed_.Open(HKEY_LOCAL_MACHINE, name);
    }
    const BOOL below = itself && watch_.depth > 0 ? TRUE : FALSE;
    constexpr DWORD kAll = REG_NOTIFY_CHANGE_NAME | REG_NOTIFY_CHANGE_LAST_SET;
    return armed_.Valid() &&
           RegNotifyChangeKeyValue(armed_.Get(), below, itself ? kAll : REG_NOTIFY_CHANGE_NAME, event_.Get(),
                                   TRUE) == ERROR_SUCCESS;
  }

  const RegistryWatch watch_;
  Handle event_;
  RegistryKey armed_;
  std::map<std::string, RegistrySnapshot> last_;  // by hive
  bool due_ = true;
  bool cut_ = false;
  int64_t next_ = 0;  // boot time
};

class RegistrySource final : public FileSource {
 public:
  explicit RegistrySource(std::vector<RegistryWatch> watches) : watches_(std::move(watches)) {}
  ~RegistrySource() override { Stop(); }

  absl::Status Start(const FileWatch& /*watch*/,
                     std::function<void(std::span<RawFileEvent>)> deliver) override {
    if (watches_.size() >= MAXIMUM_WAIT_OBJECTS)
      return absl::InvalidArgumentError(
          StrCat("at most ", MAXIMUM_WAIT_OBJECTS - 1, " parts of the registry can be watched"));
    deliver_ = std::move(deliver);
    stop_ = Handle(CreateEventW(nullptr, TRUE, FALSE, nullptr));
    std::promise<void> looked;
    std::future<void> first_look = looked.get_future();
    thread_ = std::thread([this, &looked] { Run(looked); });  // what it asks for ends with the thread
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
            "Who changed a registry key is not known, nor what changed while the agent does not run; of a "
            "value that changes twice within a moment the last state alone is told."}};
    if (cut_) info.limitations.emplace_back("Some registry keys cannot be looked at, or are too many.");
    return info;
  }

 private:
  void Run(std::promise<void>& looked) {
    std::vector<Part> parts;
    for (const RegistryWatch& watch : watches_) parts.emplace_back(watch);
    LookAtDue(parts);
    looked.set_value();
    while (Wait(parts)) LookAtDue(parts);
  }

  // Until something is due; false: stop.
  bool Wait(std::vector<Part>& parts) {
    std::vector<HANDLE> events = {stop_.Get()};
    std::optional<int64_t> next;
    for (const Part& part : parts) {
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
    if (woken == WAIT_OBJECT_0 || woken == WAIT_FAILED) return false;
    for (Part& part : parts)
      if (WaitForSingleObject(part.Event(), 0) == WAIT_OBJECT_0) part.SetDue();
    return true;
  }

  void LookAtDue(std::vector<Part>& parts) {
    const int64_t now = clock_->BootNanos();
    std::vector<RawFileEvent> events;
    for (Part& part : parts) {
      if (part.Due() && part.Next() <= now) part.Look(*clock_, &events);
      if (part.Cut()) cut_ = true;
    }
    if (!events.empty()) deliver_(events);
  }

  const std::vector<RegistryWatch> watches_;
  const std::unique_ptr<Clock> clock_ = MakeSystemClock();
  std::function<void(std::span<RawFileEvent>)> deliver_;
  std::atomic<bool> cut_ = false;
  Handle stop_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<FileSource> MakeRegistrySource(std::vector<RegistryWatch> watches) {
  return std::make_unique<RegistrySource>(std::move(watches));
}

}  // namespace cordon::platform
