#include "agent/integrity/tripwire_rule.h"

#include <algorithm>
#include <functional>

namespace cordon::agent {

std::optional<uint32_t> TripwireRule::Add(const FileDeedSeen& seen) {
  const std::optional<uint32_t> own = Count("process " + seen.actor, seen);
  // A script that starts one program per file: the parent is who does it.
  const std::optional<uint32_t> parents =
      seen.actor_parent.empty() ? std::nullopt : Count("parent " + seen.actor_parent, seen);
  return own.has_value() ? own : parents;
}

std::optional<uint32_t> TripwireRule::Count(const std::string& name, const FileDeedSeen& seen) {
  const bool came = seen.kind != FileDeedSeen::kGone;
  const bool spoiled =
      came && seen.kind != FileDeedSeen::kCreated && IsSpoiledDocument(seen.path, seen.content);
  const bool noise_came =
      came && !spoiled && seen.kind != FileDeedSeen::kWritten && seen.content == Content::kNoise;
  const bool went =
      (seen.kind == FileDeedSeen::kGone && IsDocument(seen.path)) ||
      (seen.kind == FileDeedSeen::kMoved && IsDocument(seen.old_path) && !IsDocument(seen.path));
  if (!spoiled && !noise_came && !went) return std::nullopt;

  Actor& actor = ActorOf(name);
  const int64_t begin = seen.boottime_nanos - limits_.window_nanos;
  while (!actor.deeds.empty() && actor.deeds.front().boottime_nanos < begin) actor.ForgetOldest();
  if (actor.deeds.empty()) actor.told = false;
  if (spoiled) actor.Note(kSpoiled, seen.path, seen.boottime_nanos);
  if (noise_came) actor.Note(kNoiseCame, seen.path, seen.boottime_nanos);
  if (went) {
    const bool moved = seen.kind == FileDeedSeen::kMoved;
    actor.Note(kDocumentWent, moved ? seen.old_path : seen.path, seen.boottime_nanos);
  }
  if (actor.Files() < limits_.files || actor.told) return std::nullopt;
  actor.told = true;
  return actor.Files();
}

TripwireRule::Actor& TripwireRule::ActorOf(const std::string& name) {
  const auto [at, is_new] = actors_.try_emplace(name);
  if (is_new) {
    by_age_.push_back(name);
    at->second.age = std::prev(by_age_.end());
  } else {
    by_age_.splice(by_age_.end(), by_age_, at->second.age);
  }
  if (actors_.size() > kMaxActors) {
    actors_.erase(by_age_.front());
    by_age_.pop_front();
  }
  return at->second;
}

void TripwireRule::Actor::Note(Mark mark, const std::string& path, int64_t boottime_nanos) {
  if (deeds.size() >= kMaxDeeds) ForgetOldest();
  deeds.push_back(
      {.mark = mark, .path_hash = std::hash<std::string>()(path), .boottime_nanos = boottime_nanos});
  ++paths[mark][deeds.back().path_hash];
}

void TripwireRule::Actor::ForgetOldest() {
  const Deed& deed = deeds.front();
  const auto path = paths[deed.mark].find(deed.path_hash);
  if (--path->second == 0) paths[deed.mark].erase(path);
  deeds.pop_front();
}

uint32_t TripwireRule::Actor::Files() const {
  const size_t pairs = std::min(paths[kNoiseCame].size(), paths[kDocumentWent].size());
  return static_cast<uint32_t>(paths[kSpoiled].size() + pairs);
}

}  // namespace cordon::agent
