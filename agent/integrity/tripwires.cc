#include "agent/integrity/tripwires.h"

#include <utility>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "platform/api/file_names.h"
#include "platform/api/file_tree.h"

namespace cordon::agent {
namespace {

constexpr int64_t kToldForNanos = 600 * kNanosPerSecond;
constexpr size_t kMaxTold = 1'000;

TripwireLimits LimitsOf(const v1::Tripwires& policy) {
  TripwireLimits limits;
  if (policy.files() != 0) limits.files = policy.files();
  if (policy.window_nanos() != 0) limits.window_nanos = policy.window_nanos();
  return limits;
}

std::string FolderOf(const std::string& path) {
  return platform::NameBytes(std::filesystem::path(path).parent_path());
}

// Links are not followed: users can make those, in a circle too.
bool IsFolder(const std::filesystem::path& path) {
  const absl::StatusOr<platform::FileMetadata> metadata = platform::ReadFileMetadata(path);
  return metadata.ok() && metadata->type == platform::FileType::kDirectory;
}

FileDeedSeen::Kind KindOf(v1::FileChanged::Change change, bool moved_in) {
  switch (change) {
    case v1::FileChanged::CHANGE_CREATED:
      return moved_in ? FileDeedSeen::kMovedIn : FileDeedSeen::kCreated;
    case v1::FileChanged::CHANGE_DELETED:
      return FileDeedSeen::kGone;
    case v1::FileChanged::CHANGE_RENAMED:
      return FileDeedSeen::kMoved;
    default:
      return FileDeedSeen::kWritten;
  }
}

}  // namespace

absl::Status Tripwires::Use(const WatchPolicy& policy) {
  const std::lock_guard laying(laying_mutex_);
  {
    const std::lock_guard lock(mutex_);
    policy_ = policy.tripwires;
    acted_ = false;
    rule_ = policy_.off() ? nullptr : std::make_unique<TripwireRule>(LimitsOf(policy_));
    canary_folders_ = policy.canary_folders;
    canary_homes_ = policy.canary_homes;
  }
  return LayCanaries(policy.canary_folders, policy.canary_homes);
}

bool Tripwires::On() const {
  const std::lock_guard lock(mutex_);
  return rule_ != nullptr;
}

absl::Status Tripwires::CheckCanaries() {
  const std::lock_guard laying(laying_mutex_);
  std::vector<std::filesystem::path> folders;
  std::vector<std::filesystem::path> homes;
  {
    const std::lock_guard lock(mutex_);
    folders = canary_folders_;
    homes = canary_homes_;
  }
  return LayCanaries(folders, homes);
}

// Under laying_mutex_. Folders of documents come when somebody logs on for the first time: after a silent
// installation, or years later.
absl::Status Tripwires::LayCanaries(const std::vector<std::filesystem::path>& folders,
                                    const std::vector<std::filesystem::path>& homes) {
  if (homes.empty()) return canaries_.Lay(folders);
  CORDON_ASSIGN_OR_RETURN(const std::vector<std::filesystem::path> found, FoldersOfDocuments(homes));
  return canaries_.Lay(found);
}

void Tripwires::Look(const v1::FileChanged& change, Content content, const std::string& parent_guid,
                     int64_t boottime_nanos, bool moved_in) {
  v1::Event event;
  v1::Finding& finding = *event.mutable_finding();
  std::optional<v1::SelfIsolation> act;
  {
    const std::lock_guard lock(mutex_);
    if (rule_ == nullptr) return;
    const std::optional<Alarm> alarm = Judge(change, content, parent_guid, boottime_nanos, moved_in);
    if (!alarm.has_value()) return;
    // First: what may be done by itself must not hang on what was told of the process before.
    if (alarm->sure && policy_.has_isolate() && !acted_) act = policy_.isolate();
    acted_ = acted_ || act.has_value();
    if (ToldLately(change, alarm->sure, boottime_nanos) && !act.has_value()) return;
    finding.set_kind(v1::Finding::KIND_RANSOMWARE);
    finding.set_path(change.path());
    finding.set_detail(alarm->detail);
    finding.set_files(alarm->files);
    finding.set_process_guid(change.process_guid());
    finding.set_pid(change.pid());
    finding.set_executable(change.executable());
  }
  const v1::Finding told = finding;
  sink_.Emit(v1::EVENT_CLASS_FINDING, clock_.WallNanos(), std::move(event));
  if (act.has_value() && on_sure_) on_sure_(told, *act);
}

std::optional<Tripwires::Alarm> Tripwires::Judge(const v1::FileChanged& change, Content content,
                                                 const std::string& parent_guid, int64_t boottime_nanos,
                                                 bool moved_in) {
  if (change.change() == v1::FileChanged::CHANGE_READ ||
      change.change() == v1::FileChanged::CHANGE_ATTRIBUTES) {
    return std::nullopt;
  }
  if (std::optional<Alarm> canary = JudgeCanary(change, content)) return canary;
  const std::optional<uint32_t> files = rule_->Add({.kind = KindOf(change.change(), moved_in),
                                                    .path = change.path(),
                                                    .old_path = change.old_path(),
                                                    .content = content,
                                                    .actor = change.process_guid(),
                                                    .actor_parent = parent_guid,
                                                    .boottime_nanos = boottime_nanos});
  if (!files.has_value()) return std::nullopt;
  return Alarm{.detail = StrCat(*files, " documents were made unreadable within ",
                                LimitsOf(policy_).window_nanos / kNanosPerSecond, " s"),
               .files = *files};
}

std::optional<Tripwires::Alarm> Tripwires::JudgeCanary(const v1::FileChanged& change, Content content) const {
  const auto is_canary = [&](const std::string& path) {
    return canaries_.IsCanary(platform::PathOfBytes(UnescapeFromUtf8(path)));
  };
  switch (change.change()) {
    case v1::FileChanged::CHANGE_CREATED:
      // With its folder, which was away, or in the place of the one that was laid. That of an older version
      // may be among what somebody puts back.
      if (is_canary(change.path()) && change.has_state() &&
          !CanaryFiles::IsWhatIsLaid(change.state().size(), change.state().sha256())) {
        return Alarm{.detail = "a canary file came back changed", .sure = content == Content::kNoise};
      }
      break;
    case v1::FileChanged::CHANGE_MODIFIED:
      if (is_canary(change.path())) return Alarm{.detail = "a canary file was changed"};
      break;
    case v1::FileChanged::CHANGE_RENAMED:
      if (is_canary(change.path())) return Alarm{.detail = "a canary file was replaced"};
      if (is_canary(change.old_path())) {
        // Another name in the same folder is what encrypts files; another folder may be a person who tidies
        // up.
        return Alarm{.detail = StrCat("a canary file was renamed from ", change.old_path()),
                     .sure = FolderOf(change.path()) == FolderOf(change.old_path())};
      }
      break;
    case v1::FileChanged::CHANGE_DELETED:
      // With its whole folder, it is a folder that somebody deleted.
      if (is_canary(change.path()) &&
          IsFolder(platform::PathOfBytes(UnescapeFromUtf8(FolderOf(change.path()))))) {
        return Alarm{.detail = "a canary file was deleted", .sure = false};
      }
      break;
    default:
      break;
  }
  return std::nullopt;
}

// A finding that is not sure does not silence one that is.
bool Tripwires::ToldLately(const v1::FileChanged& change, bool sure, int64_t boottime_nanos) {
  const auto is_old = [&](const Told& told) { return boottime_nanos - told.boottime_nanos >= kToldForNanos; };
  const std::string actor =
      change.process_guid().empty() ? StrCat("pid ", change.pid()) : change.process_guid();
  const auto [told, is_new] = told_.try_emplace(actor);
  const bool lately = !is_new && !is_old(told->second) && (told->second.sure || !sure);
  if (lately) return true;
  told->second = {.boottime_nanos = boottime_nanos, .sure = sure};
  if (told_.size() > kMaxTold) {
    std::erase_if(told_, [&](const auto& entry) { return is_old(entry.second); });
    if (told_.size() > kMaxTold) told_.clear();  // told twice is better than not at all
  }
  return false;
}

}  // namespace cordon::agent
