#include "agent/spool/spool.h"

#include <utility>

#include "agent/spool/agent_database.h"
#include "agent/spool/sqlite_spool.h"
#include "common/base/status.h"

namespace cordon::agent {
namespace {

absl::StatusOr<std::unique_ptr<SqliteSpool>> MakeSpool(const SpoolSettings& settings, const Clock& clock,
                                                       OpenedDatabase opened, const std::string& notice) {
  CORDON_ASSIGN_OR_RETURN(Database reader, Database::OpenReadOnly(settings.file));
  auto spool = std::make_unique<SqliteSpool>(settings, clock, QueueTables(std::move(opened.database)),
                                             QueueTables(std::move(reader)), notice);
  CORDON_RETURN_IF_ERROR(spool->Load());
  return spool;
}

std::string NoticeOf(const OpenedDatabase& opened) {
  if (!opened.set_aside.has_value()) return "";
  return StrCat("agent.db was damaged (", opened.damage, ") and is kept as ", opened.set_aside->string());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Spool>> Spool::Open(SpoolSettings settings, const Clock& clock) {
  CORDON_ASSIGN_OR_RETURN(OpenedDatabase opened, OpenAgentDatabase(settings.file, clock.WallNanos()));
  std::string aside = opened.set_aside.value_or("").string();
  std::string damage = opened.damage;
  std::string notice = NoticeOf(opened);
  absl::StatusOr<std::unique_ptr<SqliteSpool>> spool = MakeSpool(settings, clock, std::move(opened), notice);
  if (spool.status().code() == absl::StatusCode::kDataLoss) {
    damage = std::string(Message(spool.status()));
    CORDON_ASSIGN_OR_RETURN(OpenedDatabase fresh,
                            SetAsideAgentDatabase(settings.file, damage, clock.WallNanos()));
    aside = fresh.set_aside.value_or("").string();
    notice = NoticeOf(fresh);
    spool = MakeSpool(settings, clock, std::move(fresh), notice);
  }
  if (!spool.ok()) return Annotate(spool.status(), settings.file.string());
  CORDON_RETURN_IF_ERROR((*spool)->RecordStart(aside, damage));
  return *std::move(spool);
}

v1::SpoolHealth ToHealth(const SpoolStats& stats) {
  v1::SpoolHealth health;
  health.set_bytes(stats.bytes);
  health.set_limit_bytes(stats.limit_bytes);
  health.set_events(stats.events);
  health.set_oldest_unix_nanos(stats.oldest_unix_nanos);
  health.set_last_sequence(stats.last_sequence);
  health.set_acknowledged_sequence(stats.acknowledged_sequence);
  return health;
}

}  // namespace cordon::agent
