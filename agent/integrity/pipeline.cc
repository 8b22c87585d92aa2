#include "agent/integrity/pipeline.h"

#include <algorithm>
#include <utility>

#include "agent/event/file_state.h"
#include "common/base/paths.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "platform/api/file_names.h"

namespace cordon::agent {
namespace {

constexpr size_t kWorkAtOnce = 256;
constexpr size_t kMaxWaiting = 10'000;
constexpr auto kAskAgainEvery = std::chrono::milliseconds(50);
constexpr auto kIdle = std::chrono::seconds(60);

std::string Roots(const WatchPolicy& policy) {
  std::string text;
  for (const auto& root : policy.roots) StrAppend(&text, text.empty() ? "" : ", ", EventPath(root));
  return text;
}

bool MatchesAny(const std::vector<std::string>& patterns, const std::string& path) {
  return std::ranges::any_of(patterns,
                             [&](const std::string& pattern) { return MatchesPattern(pattern, path); });
}

// Whether what happened in the folder, under that path, was told.
bool WasWatched(const WatchPolicy& policy, const std::filesystem::path& folder) {
  const std::string path = platform::NameBytes(folder);
  const auto holds = [&](const std::filesystem::path& prefix) {
    return IsAtOrBelow(path, platform::NameBytes(prefix));
  };
  if (std::ranges::none_of(policy.roots, holds) || std::ranges::any_of(policy.excluded, holds)) return false;
  // "…/.cache/*" leaves out what is in the folder, and not the folder.
  return !MatchesAny(policy.excluded_patterns, path) &&
         !MatchesAny(policy.excluded_patterns, StrCat(path, "/-"));
}

}  // namespace

FileSensor::Pipeline::Pipeline(const FileSensorConfig& config, const Clock& clock,
                               const ProcessDirectory& processes, EventSink& sink, Tripwires& tripwires,
                               std::atomic<uint64_t>& lost, std::filesystem::path canary, OnCanary on_canary)
    : config_(config),
      clock_(clock),
      processes_(processes),
      sink_(sink),
      tripwires_(tripwires),
      lost_(lost),
      canary_(std::move(canary)),
      on_canary_(std::move(on_canary)),
      settler_(config.settle),
      reads_(config.settle_reads),
      losses_(std::chrono::nanoseconds(config.gap_pause).count()),
      last_event_boottime_(clock.BootNanos()),
      long_files_([this](LongFile& file) { HashFound(file.path, HowToLook(), &file.found); },
                  [this](FileFact fact) { Emit(std::move(fact)); }),
      worker_([this] { Run(); }),
      walk_([this](platform::RawFileEvent event) { Take({&event, 1}); }) {}

FileSensor::Pipeline::~Pipeline() {
  Finish();
}

void FileSensor::Pipeline::SetPolicy(const WatchPolicy& policy) {
  const std::lock_guard lock(mutex_);
  policy_ = policy;
}

WatchPolicy FileSensor::Pipeline::CurrentPolicy() const {
  const std::lock_guard lock(mutex_);
  return policy_;
}

void FileSensor::Pipeline::Take(std::span<platform::RawFileEvent> events) {
  for (const platform::RawFileEvent& event : events) {
    if (event.kind == platform::RawFileEvent::kOverflow) {
      NoteOverflow(event);
      continue;
    }
    std::unique_lock lock(mutex_);
    if (!event.while_away) last_event_boottime_ = event.boottime_nanos;
    const bool old_excluded = event.old_path.empty() || IsExcluded(event.old_path);
    if (IsExcluded(event.path) && old_excluded) continue;
    Settler& settler = event.kind == platform::RawFileEvent::kRead ? reads_ : settler_;
    if (settler.Full()) work_.notify_one();
    // What renames push out early counts too: two names that change places for ever are two pending paths.
    space_.wait(lock, [&] {
      return (!settler.Full() && told_early_.size() < config_.settle.max_paths) || finishing_;
    });
    const std::optional<int64_t> due_before = NextDue();
    std::ranges::move(settler.Add(event, clock_.BootNanos()), std::back_inserter(told_early_));
    const bool sleeps_too_long = !due_before.has_value() || NextDue() < due_before;
    if (!told_early_.empty() || sleeps_too_long) work_.notify_one();
    lock.unlock();
    const bool may_be_moved_in = event.kind == platform::RawFileEvent::kRenamed || event.may_have_content;
    if (event.is_directory && may_be_moved_in) WalkMovedIn(event);
  }
}

// TEL-1: a tree that comes from where nobody watches is told as one rename, or as one new folder: its files
// are new here all the same. So are those that were away for a while: a folder can be taken out, encrypted
// where nobody looks, and brought back.
void FileSensor::Pipeline::WalkMovedIn(const platform::RawFileEvent& event) {
  const WatchPolicy policy = CurrentPolicy();
  if (event.path.empty() || (!event.old_path.empty() && WasWatched(policy, event.old_path))) return;
  const bool taken = walk_.Ask({.roots = {event.path},
                                .excluded = policy.excluded,
                                .since_unix_nanos = 0,
                                .event = {.kind = platform::RawFileEvent::kCreated,
                                          .moved_in = true,
                                          .pid = event.pid,
                                          .boottime_nanos = event.boottime_nanos}});
  if (taken) return;
  ++lost_;
  v1::Gap gap;
  gap.set_cause(v1::Gap::CAUSE_QUEUE_FULL);
  gap.set_event_class(v1::EVENT_CLASS_FILE);
  gap.set_count_unknown(true);
  gap.set_first_time_unix_nanos(WallTime(event.boottime_nanos));
  gap.set_last_time_unix_nanos(WallTime(event.boottime_nanos));
  gap.set_detail(StrCat("more folders were moved in than can be looked at: what is below ",
                        EventPath(event.path), " is not told"));
  EmitGap(std::move(gap));
}

std::optional<int64_t> FileSensor::Pipeline::NextDue() const {
  const std::optional<int64_t> change = settler_.NextDue();
  const std::optional<int64_t> read = reads_.NextDue();
  if (!change.has_value() || !read.has_value()) return change.has_value() ? change : read;
  return std::min(*change, *read);
}

bool FileSensor::Pipeline::IsExcluded(const std::filesystem::path& path) const {
  return MatchesAny(policy_.excluded_patterns, platform::NameBytes(path));
}

void FileSensor::Pipeline::Finish() {
  {
    const std::lock_guard lock(mutex_);
    finishing_ = true;
    hurry_ = true;
    work_.notify_all();
    space_.notify_all();
  }
  walk_.Stop();
  if (worker_.joinable()) worker_.join();
  long_files_.Finish();
  std::vector<Loss> rest;
  {
    const std::lock_guard lock(mutex_);
    rest = losses_.TakeAll();
  }
  for (const Loss& loss : rest) TellLoss(loss);
}

void FileSensor::Pipeline::Run() {
  std::vector<SettledPath> work;
  while (WaitForWork(&work)) {
    for (const SettledPath& settled : work) Tell(settled);
    AskAgain(/*last_time=*/false);
    TellDueLosses();
  }
  AskAgain(/*last_time=*/true);
}

bool FileSensor::Pipeline::WaitForWork(std::vector<SettledPath>* work) {
  std::unique_lock lock(mutex_);
  *work = std::exchange(told_early_, {});
  if (finishing_) {
    std::ranges::move(settler_.TakeAll(), std::back_inserter(*work));
    std::ranges::move(reads_.TakeAll(), std::back_inserter(*work));
    return !work->empty();
  }
  const int64_t now = clock_.BootNanos();
  std::ranges::move(settler_.TakeSettled(now, kWorkAtOnce), std::back_inserter(*work));
  std::ranges::move(reads_.TakeSettled(now, kWorkAtOnce), std::back_inserter(*work));
  space_.notify_all();
  if (!work->empty()) return true;
  std::chrono::nanoseconds wait = waiting_.empty() ? kIdle : std::chrono::nanoseconds(kAskAgainEvery);
  if (const auto due = NextDue()) wait = std::min(wait, std::chrono::nanoseconds(*due - now));
  if (const auto due = losses_.NextDue()) wait = std::min(wait, std::chrono::nanoseconds(*due - now));
  work_.wait_for(lock, wait);
  return true;
}

void FileSensor::Pipeline::Tell(const SettledPath& settled) {
  const FoundFile found = LookAt(settled, HowToLook());
  if (IsAtOrBelow(platform::NameBytes(settled.path), platform::NameBytes(canary_)) &&
      settled.path != canary_) {
    on_canary_(found.state.sha256());
    return;
  }
  const auto file = found.hash_later ? std::make_shared<LongFile>(LongFile{settled.path, found}) : nullptr;
  for (FileFact& fact : TellFacts(settled, found)) {
    const bool was_deleted = fact.change.change() == v1::FileChanged::CHANGE_DELETED;  // it has no state
    PendingFact pending{.fact = std::move(fact), .file = was_deleted ? nullptr : file};
    if (NameProcess(pending.fact)) {
      JudgeAndEmit(std::move(pending));
      continue;
    }
    if (waiting_.size() >= kMaxWaiting) AskAgain(/*last_time=*/true);
    waiting_.push_back(
        {.pending = std::move(pending),
         .until = clock_.BootNanos() + std::chrono::nanoseconds(config_.process_wait).count()});
  }
}

LookOptions FileSensor::Pipeline::HowToLook() const {
  return {.max_hash_bytes = config_.max_hash_bytes, .judge = tripwires_.On(), .keep_going = [this] {
            return !hurry_;
          }};
}

bool FileSensor::Pipeline::NameProcess(FileFact& fact) const {
  v1::FileChanged& change = fact.change;
  if (change.pid() == 0) return true;  // it says why
  std::optional<ProcessRef> process = processes_.Find(change.pid(), fact.boottime_nanos);
  if (!process.has_value()) return false;
  change.set_process_guid(process->guid);
  change.set_executable(EventPath(process->executable));
  fact.parent_guid = std::move(process->parent_guid);
  return true;
}

// The process sensor may tell of a process later than the kernel told of its file.
void FileSensor::Pipeline::AskAgain(bool last_time) {
  const int64_t now = clock_.BootNanos();
  std::deque<Waiting> rest;
  for (Waiting& waiting : std::exchange(waiting_, {})) {
    FileFact& fact = waiting.pending.fact;
    const bool known = NameProcess(fact);
    if (!known && !last_time && now < waiting.until) {
      rest.push_back(std::move(waiting));
      continue;
    }
    if (!known)
      fact.change.set_process_unknown_reason("the process sensor does not know this pid at this time");
    JudgeAndEmit(std::move(waiting.pending));
  }
  waiting_ = std::move(rest);
}

// A tripwire does not wait for a hash.
void FileSensor::Pipeline::JudgeAndEmit(PendingFact pending) {
  const FileFact& fact = pending.fact;
  tripwires_.Look(fact.change, fact.content, fact.parent_guid, fact.boottime_nanos, fact.moved_in);
  if (pending.file != nullptr || long_files_.Holds(fact.change.path())) {
    long_files_.Put(std::move(pending));
  } else {
    Emit(std::move(pending.fact));
  }
}

void FileSensor::Pipeline::Emit(FileFact fact) {
  v1::Event event;
  *event.mutable_file_changed() = std::move(fact.change);
  sink_.Emit(v1::EVENT_CLASS_FILE, WallTime(fact.boottime_nanos), std::move(event));
}

// TEL-1
void FileSensor::Pipeline::NoteOverflow(const platform::RawFileEvent& overflow) {
  lost_ += std::max<uint64_t>(overflow.lost_count, 1);
  {
    const std::lock_guard lock(mutex_);
    const int64_t since = overflow.lost_since_boottime_nanos;
    losses_.Add(overflow, since == 0 ? last_event_boottime_ : since, clock_.BootNanos());
    work_.notify_one();  // it tells what is not due yet
  }
  TellDueLosses();
}

void FileSensor::Pipeline::TellDueLosses() {
  std::vector<Loss> due;
  {
    const std::lock_guard lock(mutex_);
    due = losses_.TakeDue(clock_.BootNanos());
  }
  for (const Loss& loss : due) TellLoss(loss);
}

void FileSensor::Pipeline::TellLoss(const Loss& loss) {
  v1::Gap gap;
  gap.set_cause(loss.while_away ? v1::Gap::CAUSE_AGENT_NOT_RUNNING : v1::Gap::CAUSE_KERNEL_BUFFER_FULL);
  gap.set_event_class(v1::EVENT_CLASS_FILE);
  gap.set_count(loss.count);
  gap.set_count_unknown(loss.count_unknown);
  // A count may hold events of unwatched places on the same file system.
  gap.set_count_is_bound(!loss.count_unknown);
  const std::string where = loss.path.empty() ? Roots(CurrentPolicy()) : EventPath(loss.path);
  gap.set_detail(loss.reads
                     ? "reads of sensitive files were lost"
                     : StrCat("file events were lost below ", where, loss.because.empty() ? "" : ": ",
                              loss.because,
                              "; what is there and changed since then is told after it, deletions are not"));
  gap.set_first_time_unix_nanos(WallTime(loss.since_boottime_nanos));
  gap.set_last_time_unix_nanos(WallTime(loss.until_boottime_nanos));
  EmitGap(std::move(gap));
  if (!loss.reads) WalkWhatWasLost(loss);
}

void FileSensor::Pipeline::WalkWhatWasLost(const Loss& loss) {
  const WatchPolicy policy = CurrentPolicy();
  const bool one_folder = !loss.path.empty() && WasWatched(policy, loss.path);
  walk_.Ask({.roots = one_folder ? std::vector<std::filesystem::path>{loss.path} : policy.roots,
             .excluded = policy.excluded,
             .since_unix_nanos = WallTime(loss.since_boottime_nanos),
             .event = {.kind = platform::RawFileEvent::kModified, .boottime_nanos = clock_.BootNanos()}});
}

void FileSensor::Pipeline::EmitGap(v1::Gap gap) {
  v1::Event event;
  *event.mutable_gap() = std::move(gap);
  sink_.Emit(v1::EVENT_CLASS_CONTROL, clock_.WallNanos(), std::move(event));
}

int64_t FileSensor::Pipeline::WallTime(int64_t boottime_nanos) const {
  return clock_.WallNanos() - (clock_.BootNanos() - boottime_nanos);
}

}  // namespace cordon::agent
