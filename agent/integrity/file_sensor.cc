#include "agent/integrity/file_sensor.h"

#include <spdlog/spdlog.h>

#include <fstream>
#include <utility>

#include "agent/integrity/pipeline.h"
#include "common/base/hex.h"
#include "common/base/paths.h"
#include "common/base/status.h"
#include "common/crypto/digest.h"
#include "common/crypto/random.h"
#include "platform/api/files.h"

namespace cordon::agent {

FileSensor::FileSensor(FileSensorConfig config, SourceFactory make_source, const Clock& clock,
                       const ProcessDirectory& processes, EventSink& sink, Tripwires::OnSure on_ransomware)
    : config_(std::move(config)),
      make_source_(std::move(make_source)),
      clock_(clock),
      canary_(TruePath(config_.state_folder) / "canary"),
      tripwires_(config_.state_folder, clock, sink, std::move(on_ransomware)),
      pipeline_(std::make_unique<Pipeline>(config_, clock, processes, sink, tripwires_, lost_, canary_,
                                           [this](const std::string& sha256) { CanaryCameBack(sha256); })) {
  state_.detail = "not started";
}

FileSensor::~FileSensor() {
  Stop();
}

absl::Status FileSensor::Start(const v1::Policy& policy) {
  const std::lock_guard lock(policy_mutex_);
  absl::Status status = platform::MakePrivateFolder(canary_);
  if (status.ok()) status = Watch(policy);
  if (status.ok()) return status;
  SetState(false, std::string(Message(status)));
  v1::Gap gap;
  gap.set_cause(v1::Gap::CAUSE_SENSOR_DOWN);
  gap.set_event_class(v1::EVENT_CLASS_FILE);
  gap.set_count_unknown(true);
  gap.set_first_time_unix_nanos(clock_.WallNanos());
  gap.set_last_time_unix_nanos(clock_.WallNanos());
  gap.set_detail(StrCat("file changes are not seen from now on: ", Message(status)));
  pipeline_->EmitGap(std::move(gap));
  return status;
}

absl::Status FileSensor::SetPolicy(const v1::Policy& policy) {
  const std::lock_guard lock(policy_mutex_);
  return Annotate(Watch(policy), "the policy is not taken, the one before stays");
}

// The new source runs before the old one stops; what both tell is folded.
absl::Status FileSensor::Watch(const v1::Policy& policy) {
  CORDON_ASSIGN_OR_RETURN(WatchPolicy read, ReadPolicy(policy));
  read.excluded.push_back(config_.state_folder);
  read = WithTruePaths(std::move(read));
  const platform::FileWatch watch{.roots = read.roots,
                                  .excluded = read.excluded,
                                  .sensitive = read.sensitive,
                                  .canary = canary_,
                                  .memory = config_.state_folder,
                                  .catch_up = source_ == nullptr};
  std::unique_ptr<platform::FileSource> source = make_source_();
  CORDON_RETURN_IF_ERROR(
      source->Start(watch, [this](std::span<platform::RawFileEvent> events) { pipeline_->Take(events); }));
  pipeline_->SetPolicy(read);
  if (const absl::Status laid = tripwires_.Use(read); !laid.ok()) {
    spdlog::warn("canary files: {}", Message(laid));  // health says it too
  }
  {
    const std::lock_guard lock(mutex_);
    source_.swap(source);
  }
  if (source != nullptr) source->Stop();
  return absl::OkStatus();
}

void FileSensor::Stop() {
  const std::lock_guard lock(policy_mutex_);
  {
    const std::lock_guard state_lock(mutex_);
    stopped_ = true;  // a canary that is under way will not come back
    canary_back_.notify_all();
  }
  if (source_ != nullptr) source_->Stop();
  pipeline_->Finish();
  SetState(false, "stopped");
}

WatchPolicy FileSensor::CurrentPolicy() const {
  return pipeline_->CurrentPolicy();
}

absl::Status FileSensor::WriteCanary(std::string* sha256) const {
  const std::string content = HexEncode(RandomBytes(16));
  *sha256 = Sha256(content);
  std::ofstream file(canary_ / "probe", std::ios::binary | std::ios::trunc);
  file << content;
  file.close();
  if (!file) return absl::UnavailableError(StrCat("cannot write ", (canary_ / "probe").string()));
  return absl::OkStatus();
}

void FileSensor::CanaryCameBack(const std::string& sha256) {
  const std::lock_guard lock(mutex_);
  canary_seen_ = sha256;
  canary_back_.notify_all();
}

void FileSensor::Prove() {
  const std::lock_guard prove_lock(prove_mutex_);
  {
    const std::lock_guard lock(mutex_);
    if (source_ == nullptr || stopped_) return;  // State() says why
  }
  std::string wanted;
  const absl::Status written = WriteCanary(&wanted);
  if (!written.ok()) return SetState(false, std::string(Message(written)));
  std::unique_lock lock(mutex_);
  const bool back =
      canary_back_.wait_for(lock, config_.proof_wait, [&] { return stopped_ || canary_seen_ == wanted; });
  if (stopped_) return;
  lock.unlock();
  if (!back) {
    return SetState(false, StrCat("a change of ", (canary_ / "probe").string(), " was not seen within ",
                                  config_.proof_wait.count(), " ms"));
  }
  const absl::Status canaries = tripwires_.CheckCanaries();
  SetState(true,
           canaries.ok() ? WayOfWatching() : StrCat(WayOfWatching(), "; canary files: ", Message(canaries)));
}

std::string FileSensor::WayOfWatching() const {
  const std::lock_guard lock(mutex_);
  const platform::FileSourceInfo info = source_->Info();
  std::string text = info.name;
  for (const std::string& limitation : info.limitations) StrAppend(&text, "; ", limitation);
  return text;
}

void FileSensor::SetState(bool serving, std::string detail) {
  const std::lock_guard lock(mutex_);
  state_.serving = serving;
  state_.detail = std::move(detail);
  if (serving) state_.last_proof_unix_nanos = clock_.WallNanos();
}

PartState FileSensor::State() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

}  // namespace cordon::agent
