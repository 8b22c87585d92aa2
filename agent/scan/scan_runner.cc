#include "agent/scan/scan_runner.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "agent/scan/baseline.h"
#include "agent/scan/scan_job.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "common/sqlite/database.h"

namespace cordon::agent {
namespace {

constexpr int kMaxPaths = 64;
constexpr size_t kMaxPathBytes = 4096;

absl::Status CheckPath(const std::string& text) {
  const auto refuse = [&](std::string_view why) {
    return absl::InvalidArgumentError(StrCat("paths: '", Printable(text), "' ", why));
  };
  if (text.empty() || text.size() > kMaxPathBytes) return refuse("has no length from 1 to 4096 bytes");
  const std::filesystem::path path = UnescapeFromUtf8(text);
  if (!path.is_absolute()) return refuse("is no absolute path");
  if (path.string().find('\0') != std::string::npos) return refuse("has a zero byte");
  for (const auto& part : path) {
    if (part == "..") return refuse("has '..' in it");
  }
  return absl::OkStatus();
}

// Links on the way to what was named are resolved; below it none is followed.
std::string TruePath(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::path real = std::filesystem::weakly_canonical(path, error);
  if (error) real = path.lexically_normal();
  if (!real.has_filename() && real.has_relative_path()) real = real.parent_path();
  return real.string();
}

// Sorted, and without those that lie below another.
std::vector<std::string> Outermost(std::vector<std::string> paths) {
  std::ranges::sort(paths);
  std::vector<std::string> kept;
  for (std::string& path : paths) {
    const auto holds = [&](const std::string& other) {
      return other == "/" || path == other || path.starts_with(other + "/");
    };
    if (std::ranges::none_of(kept, holds)) kept.push_back(std::move(path));
  }
  return kept;
}

}  // namespace

absl::Status CheckScanSpec(const v1::ScanSpec& spec) {
  if (spec.has_indicators()) {
    return absl::UnimplementedError("indicators: this version scans for integrity only; leave the field out");
  }
  if (!spec.has_integrity()) return absl::InvalidArgumentError("integrity: the scan asks for nothing");
  if (!v1::IntegrityCheck::Mode_IsValid(spec.integrity().mode())) {
    return absl::InvalidArgumentError(StrCat("integrity.mode: ", spec.integrity().mode(), " is not known"));
  }
  if (spec.paths_size() > kMaxPaths) return absl::InvalidArgumentError(StrCat("paths: at most ", kMaxPaths));
  for (const std::string& path : spec.paths()) CORDON_RETURN_IF_ERROR(CheckPath(path));
  return absl::OkStatus();
}

class ScanRunner::Core {
 public:
  Core(ScanConfig config, const Clock& clock, EventSink& sink, DefaultPaths default_paths,
       OnProgress on_progress, Baseline baseline, std::string notice)
      : config_(std::move(config)),
        clock_(clock),
        sink_(sink),
        default_paths_(std::move(default_paths)),
        on_progress_(std::move(on_progress)),
        notice_(std::move(notice)),
        baseline_(std::move(baseline)) {}
  ~Core() { Stop(); }

  absl::Status Start(const std::string& order_id, const v1::ScanSpec& spec) {
    CORDON_RETURN_IF_ERROR(CheckScanSpec(spec));
    const std::lock_guard lock(mutex_);
    if (stopping_) return absl::FailedPreconditionError("the agent is stopping");
    if (running_)
      return absl::ResourceExhaustedError(StrCat("the scan of order ", order_id_, " is still running"));
    if (thread_.joinable()) thread_.join();
    ScanJobSpec job{.order_id = order_id,
                    .roots = {},
                    .excluded = {},
                    .full_speed = spec.full_speed(),
                    .full_reread = spec.full_reread()};
    CORDON_ASSIGN_OR_RETURN(job.roots, Roots(spec));
    for (const auto& prefix : config_.excluded) job.excluded.push_back(TruePath(prefix));
    CORDON_RETURN_IF_ERROR(baseline_.JobBegins(order_id, clock_.WallNanos()));
    order_id_ = order_id;
    running_ = true;
    cancelled_ = false;
    thread_ = std::thread([this, job = std::move(job)]() mutable { Run(std::move(job)); });
    return absl::OkStatus();
  }

  absl::Status Cancel(const std::string& order_id) {
    const std::lock_guard lock(mutex_);
    if (!running_ || order_id_ != order_id) {
      return absl::NotFoundError(StrCat("no scan of order ", order_id, " is running"));
    }
    cancelled_ = true;
    return absl::OkStatus();
  }

  void ReportInterrupted() {
    v1::ScanProgress progress;
    {
      const std::lock_guard lock(mutex_);
      if (running_) return;
      const absl::StatusOr<std::optional<std::string>> unfinished = baseline_.UnfinishedJob();
      if (!unfinished.ok()) spdlog::warn("baseline: {}", Message(unfinished.status()));
      if (!unfinished.ok() || !unfinished->has_value()) return;
      progress.set_order_id(**unfinished);
    }
    progress.set_state(v1::ScanProgress::STATE_FAILED);
    progress.set_message("the agent ended while it scanned; no baseline was changed; order the scan again");
    on_progress_(progress);
    const std::lock_guard lock(mutex_);
    if (running_) return;
    const absl::Status ended = baseline_.JobEnds();
    if (!ended.ok()) spdlog::warn("baseline: {}", Message(ended));
  }

  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      cancelled_ = true;
    }
    if (thread_.joinable()) thread_.join();
  }

  std::string Notice() const { return notice_; }

  void Prove() {
    const absl::Status status = TryOut();
    const std::lock_guard lock(state_mutex_);
    state_.serving = status.ok();
    state_.detail = status.ok() ? notice_ : std::string(Message(status));
    if (status.ok()) state_.last_proof_unix_nanos = clock_.WallNanos();
  }

  PartState State() const {
    const std::lock_guard lock(state_mutex_);
    return state_;
  }

 private:
  absl::StatusOr<std::vector<ScanRoot>> Roots(const v1::ScanSpec& spec) {
    std::vector<std::string> paths;
    for (const std::string& path : spec.paths()) paths.push_back(TruePath(UnescapeFromUtf8(path)));
    if (paths.empty()) std::ranges::transform(default_paths_(), std::back_inserter(paths), TruePath);
    if (paths.empty()) return absl::InvalidArgumentError("paths: nothing to scan: the host watches nothing");
    std::vector<ScanRoot> roots;
    for (std::string& path : Outermost(std::move(paths))) {
      CORDON_ASSIGN_OR_RETURN(const bool covered, baseline_.Covers(path));
      const v1::IntegrityCheck::Mode mode = spec.integrity().mode();
      if (mode == v1::IntegrityCheck::MODE_CHECK && !covered) {
        return absl::FailedPreconditionError(
            StrCat("there is no baseline of ", Printable(path), ": make one first (mode CREATE)"));
      }
      const bool create = mode == v1::IntegrityCheck::MODE_CREATE || !covered;
      roots.push_back({.path = std::move(path), .create = create});
    }
    return roots;
  }

  void Run(ScanJobSpec spec) {
    v1::ScanProgress last =
        ScanJob(std::move(spec), baseline_, clock_, sink_, cancelled_, on_progress_).Run();
    {
      const std::lock_guard lock(mutex_);
      if (stopping_ && last.state() == v1::ScanProgress::STATE_CANCELLED) {
        last.set_state(v1::ScanProgress::STATE_FAILED);
        last.set_message("the agent is stopping; no baseline was changed; order the scan again");
      }
    }
    on_progress_(last);
    const std::lock_guard lock(mutex_);
    const absl::Status ended = baseline_.JobEnds();
    if (!ended.ok()) spdlog::warn("baseline: {}", Message(ended));
    running_ = false;
  }

  // Hashes a file of known content, and reads the database.
  absl::Status TryOut() const {
    const std::filesystem::path probe = config_.database.parent_path() / "scan.probe";
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
  const Clock& clock_;
  EventSink& sink_;
  const DefaultPaths default_paths_;
  const OnProgress on_progress_;
  const std::string notice_;

  std::mutex mutex_;
  Baseline baseline_;  // the job's while running_, else under mutex_
  std::string order_id_;
  bool running_ = false;
  bool stopping_ = false;
  std::atomic<bool> cancelled_ = false;
  std::thread thread_;

  mutable std::mutex state_mutex_;
  PartState state_{.serving = false, .detail = "not proven yet", .last_proof_unix_nanos = 0};
};

absl::StatusOr<std::unique_ptr<ScanRunner>> ScanRunner::Open(ScanConfig config, const Clock& clock,
                                                             EventSink& sink, DefaultPaths default_paths,
                                                             OnProgress on_progress) {
  std::string notice;
  CORDON_ASSIGN_OR_RETURN(Baseline baseline, Baseline::Open(config.database, &notice));
  if (!notice.empty()) {
    spdlog::warn("{}", notice);
    v1::Event event;
    event.mutable_agent_lifecycle()->set_state(v1::AgentLifecycle::STATE_DATABASE_SET_ASIDE);
    event.mutable_agent_lifecycle()->set_detail(EscapeToUtf8(notice));
    sink.Emit(v1::EVENT_CLASS_CONTROL, clock.WallNanos(), std::move(event));
  }
  return std::unique_ptr<ScanRunner>(
      new ScanRunner(std::make_unique<Core>(std::move(config), clock, sink, std::move(default_paths),
                                            std::move(on_progress), std::move(baseline), std::move(notice))));
}

ScanRunner::ScanRunner(std::unique_ptr<Core> core) : core_(std::move(core)) {}
ScanRunner::~ScanRunner() = default;

absl::Status ScanRunner::Start(const std::string& order_id, const v1::ScanSpec& spec) {
  return core_->Start(order_id, spec);
}
absl::Status ScanRunner::Cancel(const std::string& order_id) {
  return core_->Cancel(order_id);
}
void ScanRunner::ReportInterrupted() {
  core_->ReportInterrupted();
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
