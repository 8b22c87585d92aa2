#include "agent/health/health_board.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "common/base/strings.h"
#include "common/base/text.h"
#include "platform/api/system.h"

namespace cordon::agent {
namespace {

using SteadyClock = std::chrono::steady_clock;

int64_t Nanos(std::chrono::nanoseconds length) {
  return length.count();
}

}  // namespace

// One part and the thread on which it proves itself.
class ProofRunner {
 public:
  // `on_news` on the runner's thread, after a proof that was the first or changed what the part says.
  ProofRunner(HealthPart* part, std::function<void()> on_news)
      : part_(part), on_news_(std::move(on_news)), thread_([this] { Loop(); }) {}
  ~ProofRunner() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      wake_.notify_all();
    }
    thread_.join();
  }

  HealthPart& Part() const { return *part_; }

  // Nothing new when a proof runs already: that one is then the answer. Returns the number of that proof.
  uint64_t Ask() {
    const std::lock_guard lock(mutex_);
    if (!asked_since_.has_value()) asked_since_ = SteadyClock::now();
    wake_.notify_all();
    return ended_proofs_ + 1;
  }

  bool HasEnded(uint64_t proof) const {
    const std::lock_guard lock(mutex_);
    return ended_proofs_ >= proof;
  }

  // The part's own word, unless it has not proven it or does not answer.
  PartState Judge(std::chrono::milliseconds answer_within) const {
    PartState state = part_->State();
    const std::lock_guard lock(mutex_);
    if (asked_since_.has_value()) {
      const auto waited = SteadyClock::now() - *asked_since_;
      if (waited > answer_within) {
        state.serving = false;
        state.detail = StrCat("no answer for ", FormatDuration(Nanos(waited)));
      }
    }
    if (ended_proofs_ == 0 && state.serving) {
      state.serving = false;
      state.detail = "not proven yet";
    }
    return state;
  }

 private:
  void Loop() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return ended_ || asked_since_.has_value(); });
      if (ended_) return;
      lock.unlock();
      const PartState before = part_->State();
      part_->Prove();
      const PartState after = part_->State();
      lock.lock();
      const bool first = ++ended_proofs_ == 1;
      asked_since_.reset();
      if (!first && before.serving == after.serving && before.detail == after.detail) continue;
      lock.unlock();
      on_news_();
      lock.lock();
    }
  }

  HealthPart* const part_;
  const std::function<void()> on_news_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<SteadyClock::time_point> asked_since_;
  uint64_t ended_proofs_ = 0;
  bool ended_ = false;
  std::thread thread_;
};

class HealthBoard::Core {
 public:
  Core(Parts parts, HealthSettings settings)
      : parts_(std::move(parts)), settings_(settings), started_boot_nanos_(parts_.clock.BootNanos()) {
    for (HealthPart* part : parts_.parts)
      runners_.push_back(std::make_unique<ProofRunner>(part, [this] { LookSoon(); }));
    published_.resize(runners_.size());
  }

  ~Core() {
    Stop();
    runners_.clear();  // before what their last proofs touch
  }

  void Start() {
    scheduler_ = std::thread([this] { Loop(); });
  }

  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      wake_.notify_all();
    }
    if (scheduler_.joinable()) scheduler_.join();
  }

  void ProveAll(std::chrono::milliseconds deadline, std::function<void(v1::HealthReport)> done) {
    Waiting waiting{.deadline = deadline, .until = SteadyClock::now() + deadline, .done = std::move(done)};
    for (const auto& runner : runners_) waiting.proofs.push_back(runner->Ask());
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(waiting));
    wake_.notify_all();
  }

  v1::HealthReport Report() const {
    v1::HealthReport report;
    report.set_time_unix_nanos(parts_.clock.WallNanos());
    report.set_agent_version(parts_.agent_version);
    for (const auto& runner : runners_) {
      const PartState state = runner->Judge(settings_.answer_within);
      v1::PartHealth& part = *report.add_parts();
      part.set_part(runner->Part().Name());
      part.set_serving(state.serving);
      part.set_detail(state.detail);
      part.set_last_proof_unix_nanos(state.last_proof_unix_nanos);
    }
    const platform::OwnResourceUse use = platform::ReadOwnResourceUse();
    report.mutable_resources()->set_resident_bytes(use.resident_bytes);
    report.mutable_resources()->set_cpu_nanos(use.cpu_nanos);
    report.mutable_resources()->set_uptime_nanos(parts_.clock.BootNanos() - started_boot_nanos_);
    parts_.complete(&report);
    return report;
  }

 private:
  // On a runner's thread: what a proof found is published at once.
  void LookSoon() {
    const std::lock_guard lock(mutex_);
    look_soon_ = true;
    wake_.notify_all();
  }

  // What was said of a part.
  struct Published {
    std::optional<bool> serving;       // by `publish`
    std::optional<bool> told_serving;  // by an event
    std::string detail;
  };
  struct Waiting {
    std::chrono::milliseconds deadline;
    SteadyClock::time_point until;
    std::vector<uint64_t> proofs = {};  // of each runner: the one that answers
    std::function<void(v1::HealthReport)> done;
  };

  void Loop() {
    SteadyClock::time_point next_round = SteadyClock::now();
    expected_up_ = next_round + settings_.answer_within;
    std::unique_lock lock(mutex_);
    while (!ended_) {
      lock.unlock();
      if (SteadyClock::now() >= next_round) {
        for (const auto& runner : runners_) runner->Ask();
        next_round = SteadyClock::now() + settings_.interval;
      }
      PublishChanges();
      AnswerWaiting();
      lock.lock();
      // While somebody waits for proofs they are looked at more often.
      const auto pause = waiting_.empty() ? settings_.look_every : std::min(settings_.look_every, kBusyLook);
      if (!ended_ && !look_soon_) wake_.wait_until(lock, std::min(next_round, SteadyClock::now() + pause));
      look_soon_ = false;
    }
  }

  void PublishChanges() {
    for (size_t i = 0; i < runners_.size(); ++i) {
      const PartState state = runners_[i]->Judge(settings_.answer_within);
      Published& before = published_[i];
      if (before.serving != state.serving) parts_.publish(runners_[i]->Part().Name(), state.serving);
      before.serving = state.serving;
      if (IsNews(before, state)) EmitChange(runners_[i]->Part().Name(), state, &before);
    }
  }

  bool IsNews(const Published& before, const PartState& state) const {
    // "No answer for 12s" changes with each look; only a change of `serving` is worth an event then.
    if (before.told_serving == state.serving) return state.serving && before.detail != state.detail;
    // A part that is still coming up is no news: it has as long for that as for any answer.
    return state.serving || before.told_serving.has_value() || SteadyClock::now() >= expected_up_;
  }

  void EmitChange(const std::string& part, const PartState& state, Published* told) {
    told->told_serving = state.serving;
    told->detail = state.detail;
    v1::Event event;
    event.mutable_part_changed()->set_part(part);
    event.mutable_part_changed()->set_serving(state.serving);
    event.mutable_part_changed()->set_reason(state.detail);
    parts_.events.Emit(v1::EVENT_CLASS_CONTROL, parts_.clock.WallNanos(), std::move(event));
  }

  void AnswerWaiting() {
    std::vector<Waiting> answered;
    {
      const std::lock_guard lock(mutex_);
      const auto now = SteadyClock::now();
      std::erase_if(waiting_, [&](Waiting& one) {
        if (now < one.until && !HaveAllEnded(one)) return false;
        answered.push_back(std::move(one));
        return true;
      });
    }
    for (const Waiting& one : answered) one.done(ReportFor(one));
  }

  bool HaveAllEnded(const Waiting& one) const {
    for (size_t i = 0; i < runners_.size(); ++i) {
      if (!runners_[i]->HasEnded(one.proofs[i])) return false;
    }
    return true;
  }

  // What a part said before is no answer to somebody who asked for a proof.
  v1::HealthReport ReportFor(const Waiting& one) const {
    std::vector<bool> ended;  // asked before the states are read: what has ended is in them
    for (size_t i = 0; i < runners_.size(); ++i) ended.push_back(runners_[i]->HasEnded(one.proofs[i]));
    v1::HealthReport report = Report();
    for (size_t i = 0; i < ended.size(); ++i) {
      if (ended[i]) continue;
      v1::PartHealth& part = *report.mutable_parts(static_cast<int>(i));
      std::string detail = StrCat("its proof has not ended within ", FormatDuration(Nanos(one.deadline)));
      if (!part.serving() && !part.detail().empty()) StrAppend(&detail, "; before: ", part.detail());
      part.set_serving(false);
      part.set_detail(std::move(detail));
    }
    return report;
  }

  static constexpr std::chrono::milliseconds kBusyLook{10};

  const Parts parts_;
  const HealthSettings settings_;
  const int64_t started_boot_nanos_;
  std::vector<std::unique_ptr<ProofRunner>> runners_;
  std::vector<Published> published_;     // the scheduler's own
  SteadyClock::time_point expected_up_;  // the scheduler's own: who has not been up by then is told

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Waiting> waiting_;
  bool look_soon_ = false;
  bool ended_ = false;
  std::thread scheduler_;
};

HealthBoard::HealthBoard(Parts parts, HealthSettings settings)
    : core_(std::make_unique<Core>(std::move(parts), settings)) {}

HealthBoard::~HealthBoard() = default;

void HealthBoard::Start() {
  core_->Start();
}

void HealthBoard::Stop() {
  core_->Stop();
}

void HealthBoard::ProveAll(std::chrono::milliseconds deadline, std::function<void(v1::HealthReport)> done) {
  core_->ProveAll(deadline, std::move(done));
}

v1::HealthReport HealthBoard::Report() const {
  return core_->Report();
}

}  // namespace cordon::agent
