#include "agent/scan/scan_runner.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <future>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "agent/scan/baseline.h"
#include "agent/scan/job_store.h"
#include "agent/scan/scan_database.h"
#include "agent/scan/scan_job.h"
#include "agent/scan/scan_report.h"
#include "agent/scan/scan_spec.h"
#include "common/base/paths.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "common/sqlite/database.h"
#include "common/wire/order.h"
#include "platform/api/file_names.h"

namespace cordon::agent {
namespace {

using ScanState = v1::ScanProgress::State;

bool IsEnd(ScanState state) {
  return state == v1::ScanProgress::STATE_DONE || state == v1::ScanProgress::STATE_CANCELLED ||
         state == v1::ScanProgress::STATE_FAILED;
}

v1::ScanProgress ProgressOf(const SavedJob& job, ScanState state, std::string_view message) {
  v1::ScanProgress progress = job.progress;
  progress.set_order_id(job.order_id);
  progress.set_state(state);
  progress.set_message(std::string(message));
  return progress;
}

absl::Status NoThread(const std::system_error& error) {
  return absl::UnavailableError(
      StrCat("cannot start a thread for the scan: ", error.what(),
             "; something uses up the host's processes: find it, then order again"));
}

void Warn(const absl::Status& status) {
  if (!status.ok()) spdlog::warn("scan: {}", Message(status));
}

}  // namespace

class ScanRunner::Core {
 public:
  Core(ScanConfig config, ScanParts parts, Database work, Database orders, std::string notice)
      : config_(std::move(config)),
        parts_(std::move(parts)),
        notice_(std::move(notice)),
        work_(std::move(work)),
        orders_(std::move(orders)),
        jobs_(orders_) {}
  ~Core() { Stop(); }

  absl::Status Start(const std::string& order_id, const v1::ScanSpec& spec) {
    CORDON_RETURN_IF_ERROR(CheckScanSpec(spec));
    CORDON_RETURN_IF_ERROR(CheckPaths(spec));
    const std::lock_guard lock(mutex_);
    if (stopping_) return absl::FailedPreconditionError("the agent is stopping");
    if (running_ && order_id_ == order_id) return absl::OkStatus();
    if (running_) {
      return absl::ResourceExhaustedError(StrCat("the scan of order ", order_id_, " is still running"));
    }
    CORDON_ASSIGN_OR_RETURN(const std::optional<SavedJob> other, jobs_.Load());
    // The agent was killed before it recorded that it runs; ResumeInterrupted goes on with it.
    if (other.has_value() && other->order_id == order_id) return absl::OkStatus();
    if (other.has_value() && other->order_id == ended_) {
      return absl::ResourceExhaustedError(StrCat("the scan of order ", ended_, " is just ending"));
    }
    if (other.has_value()) {
      return absl::ResourceExhaustedError(
          StrCat("the scan of order ", other->order_id, " is paused: resume or cancel it first"));
    }
    SavedJob job{.order_id = order_id, .spec = spec};
    Baseline baseline(orders_);
    CORDON_ASSIGN_OR_RETURN(job.roots, RootsOf(spec, parts_.default_paths(), baseline));
    CORDON_RETURN_IF_ERROR(jobs_.Begin(job));
    absl::Status launched = Launch(order_id);
    if (!launched.ok()) Warn(jobs_.End());
    return launched;
  }

  absl::Status Cancel(const std::string& order_id) {
    std::unique_lock lock(mutex_);
    CORDON_ASSIGN_OR_RETURN(const SavedJob job, FindJob(order_id));
    CORDON_RETURN_IF_ERROR(jobs_.SetCancelled());
    if (running_) {
      stop_ = StopReason::kCancel;
      return absl::OkStatus();
    }
    ended_ = order_id;
    lock.unlock();
    TellCancelled(job);
    return absl::OkStatus();
  }

  absl::Status Find(const std::string& order_id) {
    const std::lock_guard lock(mutex_);
    return FindJob(order_id).status();
  }

  void Forget(const std::string& order_id) {
    const std::lock_guard lock(mutex_);
    const absl::StatusOr<std::optional<SavedJob>> job = jobs_.Load();
    const bool damaged = absl::IsDataLoss(job.status()) && !running_;
    const bool its = job.ok() && job->has_value() && (*job)->order_id == order_id;
    if (damaged || its) Warn(jobs_.End());
    if (ended_ == order_id) ended_.clear();
  }

  absl::Status Pause(const std::string& order_id) {
    const std::lock_guard lock(mutex_);
    CORDON_ASSIGN_OR_RETURN(const SavedJob job, FindJob(order_id));
    if (job.cancelled) return absl::OkStatus();
    CORDON_RETURN_IF_ERROR(jobs_.SetPaused(true));
    StopReason running = StopReason::kNone;
    if (running_) stop_.compare_exchange_strong(running, StopReason::kPause);
    return absl::OkStatus();
  }

  absl::Status Resume(const std::string& order_id) {
    const std::lock_guard lock(mutex_);
    if (stopping_) return absl::FailedPreconditionError("the agent is stopping");
    CORDON_ASSIGN_OR_RETURN(const SavedJob job, FindJob(order_id));
    if (job.cancelled) return absl::OkStatus();
    CORDON_RETURN_IF_ERROR(jobs_.SetPaused(false));
    return running_ ? absl::OkStatus() : Launch(order_id);  // its thread sees it when it has come to rest
  }

  void ResumeInterrupted() {
    std::unique_lock lock(mutex_);
    if (running_ || stopping_) return;
    const absl::StatusOr<std::optional<SavedJob>> job = jobs_.Load();
    Warn(job.status());
    if (!job.ok() || !job->has_value()) return;
    if (!(*job)->paused && !(*job)->cancelled) return Warn(Launch((*job)->order_id));
    if ((*job)->cancelled) ended_ = (*job)->order_id;
    lock.unlock();
    if ((*job)->cancelled) return TellCancelled(**job);
    parts_.on_progress(ProgressOf(**job, v1::ScanProgress::STATE_PAUSED, ""));
  }

  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      StopReason running = StopReason::kNone;
      stop_.compare_exchange_strong(running, StopReason::kAgentStops);
    }
    if (thread_.joinable()) thread_.join();
  }

  std::string Notice() const { return notice_; }

  void Prove() {
    const absl::Status status = TryOut();
    const std::lock_guard lock(state_mutex_);
    state_.serving = status.ok();
    state_.detail = status.ok() ? notice_ : std::string(Message(status));
    if (status.ok()) state_.last_proof_unix_nanos = parts_.clock.WallNanos();
  }

  PartState State() const {
    const std::lock_guard lock(state_mutex_);
    return state_;
  }

 private:
  // Under mutex_. Not one that has told its end.
  absl::StatusOr<SavedJob> FindJob(const std::string& order_id) {
    CORDON_ASSIGN_OR_RETURN(std::optional<SavedJob> job, jobs_.Load());
    if (!job.has_value() || job->order_id != order_id || order_id == ended_) {
      return absl::NotFoundError(StrCat("no scan of order ", order_id, " is under way"));
    }
    return *std::move(job);
  }

  // Under mutex_, while nothing runs.
  absl::Status Launch(const std::string& order_id) {
    if (thread_.joinable()) thread_.join();
    order_id_ = order_id;
    ended_.clear();
    running_ = true;
    stop_ = StopReason::kNone;
    try {
      thread_ = std::thread([this] { RunUntilRest(); });
    } catch (const std::system_error& error) {
      running_ = false;
      return NoThread(error);
    }
    return absl::OkStatus();
  }

  // Once, and again as long as somebody resumes it while it comes to rest.
  void RunUntilRest() {
    do RunOnce();
    while (GoesOn());
  }

  bool GoesOn() {
    std::unique_lock lock(mutex_);
    const absl::StatusOr<SavedJob> job = FindJob(order_id_);
    const bool rests = job.ok() && stop_ == StopReason::kPause && !stopping_;
    if (rests && !job->paused) {
      stop_ = StopReason::kNone;
      return true;
    }
    if (job.ok() && stop_ == StopReason::kCancel) {  // it came when the job had just come to rest
      ended_ = order_id_;
      lock.unlock();
      TellCancelled(*job);
      lock.lock();
    }
    running_ = false;
    return false;
  }

  absl::StatusOr<SavedJob> LoadJob() {
    const std::lock_guard lock(mutex_);
    return FindJob(order_id_);
  }

  void RunOnce() {
    absl::StatusOr<SavedJob> job = LoadJob();
    if (!job.ok()) return Warn(job.status());
    absl::StatusOr<std::vector<std::unique_ptr<RuleScanner>>> scanners = MakeScanners(job->spec);
    if (absl::IsInvalidArgument(scanners.status()) && !job->cursor.has_value()) {
      NoteEnd();
      return parts_.on_refused(job->order_id, scanners.status());
    }
    absl::Status ready = scanners.status();
    if (ready.ok() && !KnowsBaseline(*job) && !job->spec.full_speed()) {
      ready = NoteBaseline(HashBaseline(job->roots), &*job);
    }
    v1::ScanProgress last;
    if (ready.ok()) {
      last = WorkIfPossible(&*job, *std::move(scanners));
    } else if (stop_ == StopReason::kNone) {
      last = ProgressOf(*job, v1::ScanProgress::STATE_FAILED, Message(ready));
    } else {
      last = ProgressOf(*job, v1::ScanProgress::STATE_RUNNING, "");
    }
    TellRest(*job, std::move(last));
  }

  // AUT-6: rules that do not compile are refused before anything is done.
  absl::StatusOr<std::vector<std::unique_ptr<RuleScanner>>> MakeScanners(const v1::ScanSpec& spec) {
    std::vector<std::unique_ptr<RuleScanner>> scanners(spec.full_speed() ? 2 : 1);
    if (spec.indicators().yara().empty()) return scanners;
    for (auto& scanner : scanners) {
      scanner = std::make_unique<RuleScanner>(config_.scanner, spec.indicators());
    }
    CORDON_RETURN_IF_ERROR(scanners.front()->Prepare([this] { return stop_ == StopReason::kNone; }));
    return scanners;
  }

  static bool KnowsBaseline(const SavedJob& job) { return job.baseline_before_sha256.has_value(); }

  // Of what is recorded of the roots; CANCELLED by a stop. On any thread.
  absl::StatusOr<std::string> HashBaseline(const std::vector<ScanRoot>& roots) const {
    std::vector<std::string> recorded;
    for (const ScanRoot& root : roots) {
      if (root.baseline != ScanRoot::Baseline::kNone) recorded.push_back(root.path);
    }
    CORDON_ASSIGN_OR_RETURN(Database database, Database::OpenReadOnly(config_.database));
    Baseline baseline(database);
    return baseline.Hash(recorded, [this] { return stop_ == StopReason::kNone; });
  }

  absl::Status NoteBaseline(absl::StatusOr<std::string> hash, SavedJob* job) {
    CORDON_ASSIGN_OR_RETURN(job->baseline_before_sha256, std::move(hash));
    JobStore store(work_);
    return store.SetBaselineBefore(*job->baseline_before_sha256);
  }

  v1::ScanProgress WorkIfPossible(SavedJob* job, std::vector<std::unique_ptr<RuleScanner>> scanners) {
    try {
      return Work(job, std::move(scanners));
    } catch (const std::system_error& error) {  // from the threads of its pool
      return ProgressOf(*job, v1::ScanProgress::STATE_FAILED, Message(NoThread(error)));
    }
  }

  v1::ScanProgress Work(SavedJob* job, std::vector<std::unique_ptr<RuleScanner>> scanners) {
    const SavedJob saved = *job;
    std::future<absl::StatusOr<std::string>> before;  // not valid: it is known already
    if (!KnowsBaseline(saved)) {
      before = std::async(std::launch::async, [&] { return HashBaseline(saved.roots); });
    }
    Baseline baseline(work_);
    JobStore store(work_);
    std::vector<std::string> excluded;
    for (const auto& prefix : config_.excluded) excluded.push_back(platform::NameBytes(TruePath(prefix)));
    ScanJob walk(saved,
                 {.baseline = baseline,
                  .ledger = {.store = store,
                             .clock = parts_.clock,
                             .sink = parts_.sink,
                             .flush = parts_.flush_events,
                             .on_progress = parts_.on_progress},
                  .processes = parts_.processes,
                  .excluded = std::move(excluded),
                  .scanners = std::move(scanners),
                  .meter = saved.spec.full_speed() ? nullptr : parts_.make_meter(),
                  .open_reader = [this] { return Database::OpenReadOnly(config_.database); },
                  .learn_baseline_before = [&]() -> absl::StatusOr<std::string> {
                    CORDON_RETURN_IF_ERROR(NoteBaseline(before.get(), job));
                    return *job->baseline_before_sha256;
                  }},
                 stop_);
    return walk.Run();
  }

  void TellRest(const SavedJob& job, v1::ScanProgress last) {
    if (stop_ == StopReason::kCancel && !IsEnd(last.state())) {
      last.set_state(v1::ScanProgress::STATE_CANCELLED);
      last.set_message("cancelled before it began; nothing was changed");
    }
    if (!IsEnd(last.state())) {
      if (stop_ != StopReason::kPause) return;  // the agent stops; the next run goes on
      last.set_state(v1::ScanProgress::STATE_PAUSED);
      last.clear_not_scanned();
      return parts_.on_progress(last);
    }
    NoteEnd();
    TellEnd(job, std::move(last));
  }

  void TellCancelled(const SavedJob& job) {
    TellEnd(job, ProgressOf(job, v1::ScanProgress::STATE_CANCELLED,
                            "cancelled while it was paused; no baseline was changed"));
  }

  void TellEnd(const SavedJob& job, v1::ScanProgress last) {
    last.set_report(MakeScanReport(config_.host_id, job, last, parts_.clock.WallNanos()).SerializeAsString());
    parts_.on_progress(last);
  }

  // From here on the job is only waiting for Forget.
  void NoteEnd() {
    const std::lock_guard lock(mutex_);
    ended_ = order_id_;
  }

  // Hashes a file of known content, and reads the database.
  absl::Status TryOut() const {
    const std::filesystem::path probe = TruePath(config_.database.parent_path()) / "scan.probe";
    const std::string content = "cordon";
    std::ofstream(probe, std::ios::binary | std::ios::trunc) << content;
    const absl::StatusOr<platform::HashedFile> hashed = platform::HashFile(probe, 1024, [] { return true; });
    std::error_code ignored;
    std::filesystem::remove(probe, ignored);
    CORDON_RETURN_IF_ERROR(hashed.status());
    if (hashed->sha256 != Sha256(content))
      return absl::DataLossError("a file of known content has another hash");
    CORDON_ASSIGN_OR_RETURN(Database database, Database::OpenReadOnly(config_.database));
    CORDON_ASSIGN_OR_RETURN(Statement read, database.Prepare("SELECT count(*) FROM covered"));
    return read.Step().status();
  }

  const ScanConfig config_;
  const ScanParts parts_;
  const std::string notice_;

  Database work_;  // the thread's

  std::mutex mutex_;
  Database orders_;  // survives a power cut at once
  JobStore jobs_;    // in orders_
  std::string order_id_;
  std::string ended_;  // the job that has told its end and is not forgotten yet
  bool running_ = false;
  bool stopping_ = false;
  std::atomic<StopReason> stop_ = StopReason::kNone;
  std::thread thread_;

  mutable std::mutex state_mutex_;
  PartState state_{.serving = false, .detail = "not proven yet", .last_proof_unix_nanos = 0};
};

absl::StatusOr<std::unique_ptr<ScanRunner>> ScanRunner::Open(ScanConfig config, ScanParts parts) {
  std::string notice;
  CORDON_ASSIGN_OR_RETURN(Database work, OpenScanDatabase(config.database, &notice));
  CORDON_ASSIGN_OR_RETURN(Database orders, Database::Open(config.database, Database::Durability::kFull));
  if (!notice.empty()) {
    spdlog::warn("{}", notice);
    v1::Event event;
    event.mutable_agent_lifecycle()->set_state(v1::AgentLifecycle::STATE_DATABASE_SET_ASIDE);
    event.mutable_agent_lifecycle()->set_detail(EscapeToUtf8(notice));
    parts.sink.Emit(v1::EVENT_CLASS_CONTROL, parts.clock.WallNanos(), std::move(event));
  }
  return std::unique_ptr<ScanRunner>(new ScanRunner(std::make_unique<Core>(
      std::move(config), std::move(parts), std::move(work), std::move(orders), std::move(notice))));
}

ScanRunner::ScanRunner(std::unique_ptr<Core> core) : core_(std::move(core)) {}
ScanRunner::~ScanRunner() = default;

absl::Status ScanRunner::Start(const std::string& order_id, const v1::ScanSpec& spec) {
  return core_->Start(order_id, spec);
}
absl::Status ScanRunner::Cancel(const std::string& order_id) {
  return core_->Cancel(order_id);
}
absl::Status ScanRunner::Pause(const std::string& order_id) {
  return core_->Pause(order_id);
}
absl::Status ScanRunner::Resume(const std::string& order_id) {
  return core_->Resume(order_id);
}
absl::Status ScanRunner::Find(const std::string& order_id) {
  return core_->Find(order_id);
}
void ScanRunner::Forget(const std::string& order_id) {
  core_->Forget(order_id);
}
void ScanRunner::ResumeInterrupted() {
  core_->ResumeInterrupted();
}
void ScanRunner::Stop() {
  core_->Stop();
}
std::string ScanRunner::SetAsideNotice() const {
  return core_->Notice();
}
void ScanRunner::Prove() {
  core_->Prove();
}
PartState ScanRunner::State() const {
  return core_->State();
}

}  // namespace cordon::agent
