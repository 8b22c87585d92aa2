#include "platform/windows/files/usn_journals.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "common/base/status.h"
#include "platform/windows/files/name_bytes.h"

namespace cordon::platform {
namespace {

constexpr std::string_view kDamagedPositions = "what was kept of its journal's position is damaged";

std::string FoundByScansAlone(const UsnJournals::Volume& volume, const absl::Status& why) {
  return StrCat("What changes on ", BytesOfUnits(volume.mounted_at),
                " while the agent does not run is found by a scan alone (", Message(why), ").");
}

}  // namespace

UsnJournals::UsnJournals(std::vector<Volume> volumes, Save save)
    : volumes_(std::move(volumes)), save_(std::move(save)) {}

void UsnJournals::Begin(const std::optional<Saved>& saved, bool catch_up, int64_t now_unix_nanos) {
  absl::StatusOr<UsnPositions> positions = UsnPositions();
  if (catch_up && saved.has_value()) positions = ParseUsnPositions(saved->text);
  for (Volume& volume : volumes_) {
    std::optional<UsnPosition> from;
    if (positions.ok()) {
      const auto found = positions->find(volume.name);
      if (found != positions->end()) from = found->second;
    } else {
      lost_.push_back({.mounted_at = volume.mounted_at,
                       .why = kDamagedPositions,
                       .changes = 0,
                       .since_unix_nanos = saved->unix_nanos});
    }
    BeginVolume(volume, from);
  }
  LookWhereTheyStand(now_unix_nanos);
  if (!saved.has_value()) Keep();
}

void UsnJournals::BeginVolume(Volume& volume, const std::optional<UsnPosition>& from) {
  absl::Status read = volume.volume.status();
  if (read.ok()) {
    const absl::StatusOr<UsnJournal> now = (*volume.volume)->Query();
    read = now.status();
    if (now.ok() && from.has_value())
      running_.push_back({&volume, from->unix_nanos, {**volume.volume, *from, *now}});
  }
  if (read.ok()) return;
  limitations_.push_back(FoundByScansAlone(volume, read));
  if (!from.has_value()) return;
  lost_.push_back({.mounted_at = volume.mounted_at,
                   .why = "the volume's journal, which could be read before, cannot be read",
                   .changes = 0,
                   .since_unix_nanos = from->unix_nanos});
}

UsnJournals::Step UsnJournals::Next() {
  Step step{.told = {}, .lost = std::exchange(lost_, {})};
  if (running_.empty()) return step;
  Running& running = running_.back();
  step.told = running.catch_up.Step();
  if (!running.catch_up.Finished()) return step;
  if (!running.catch_up.Lost().empty()) {
    step.lost.push_back({.mounted_at = running.volume->mounted_at,
                         .why = running.catch_up.Lost(),
                         .changes = running.catch_up.LostChanges(),
                         .since_unix_nanos = running.since_unix_nanos});
  }
  running_.pop_back();
  return step;
}

// A volume that does not answer now stays where it was.
void UsnJournals::LookWhereTheyStand(int64_t now_unix_nanos) {
  for (const Volume& volume : volumes_) {
    if (!volume.volume.ok()) continue;
    const absl::StatusOr<UsnJournal> now = (*volume.volume)->Query();
    if (!now.ok()) continue;
    marked_[volume.name] = {.journal = now->id, .next_usn = now->next_usn, .unix_nanos = now_unix_nanos};
  }
}

void UsnJournals::Look(int64_t now_unix_nanos) {
  if (!CatchingUp()) LookWhereTheyStand(now_unix_nanos);
}

void UsnJournals::Keep() {
  if (CatchingUp() || marked_.empty()) return;
  const std::string text = FormatUsnPositions(marked_);
  if (text == kept_) return;
  const absl::Status saved = save_(text);
  if (saved.ok()) {
    kept_ = text;
  } else {
    spdlog::warn("the journals' positions are not kept: {}", Message(saved));
  }
}

}  // namespace cordon::platform
