#include "agent/scan/job_store.h"

#include "common/base/status.h"

namespace cordon::agent {
namespace {

constexpr std::string_view kClear =
    "DELETE FROM job; DELETE FROM job_root; DELETE FROM told; DELETE FROM fresh_folder; DELETE FROM "
    "fresh_root";

// In the column "paused"; 0: neither.
constexpr int64_t kPaused = 1;
constexpr int64_t kCancelled = 2;

// In the column "sure".
constexpr int64_t kSure = 1;
constexpr int64_t kCounted = 2;

}  // namespace

absl::Status JobStore::Begin(const SavedJob& job) {
  return database_.Transaction([&]() -> absl::Status {
    CORDON_RETURN_IF_ERROR(database_.Execute(kClear));
    CORDON_ASSIGN_OR_RETURN(Statement insert,
                            database_.Prepare("INSERT INTO job(one, order_id, spec) VALUES(1, ?, ?)"));
    CORDON_RETURN_IF_ERROR(insert.BindText(1, job.order_id).BindBlob(2, job.spec.SerializeAsString()).Run());
    CORDON_ASSIGN_OR_RETURN(Statement root, database_.Prepare("INSERT INTO job_root VALUES(?, ?, ?)"));
    for (size_t i = 0; i < job.roots.size(); ++i) {
      CORDON_RETURN_IF_ERROR(root.Bind(1, static_cast<int64_t>(i))
                                 .BindBlob(2, job.roots[i].path)
                                 .Bind(3, static_cast<int64_t>(job.roots[i].baseline))
                                 .Run());
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<std::optional<SavedJob>> JobStore::Load() {
  CORDON_ASSIGN_OR_RETURN(
      Statement find,
      database_.Prepare("SELECT order_id, spec, baseline_before, paused, cursor, progress FROM job"));
  CORDON_ASSIGN_OR_RETURN(const bool row, find.Step());
  if (!row) return std::nullopt;
  SavedJob job;
  job.order_id = std::string(find.Bytes(0));
  if (!find.IsNull(2)) job.baseline_before_sha256 = std::string(find.Bytes(2));
  job.paused = find.Int(3) == kPaused;
  job.cancelled = find.Int(3) == kCancelled;
  if (!find.IsNull(4)) job.cursor = std::string(find.Bytes(4));
  if (!job.spec.ParseFromString(std::string(find.Bytes(1))) ||
      !job.progress.ParseFromString(std::string(find.Bytes(5)))) {
    return absl::DataLossError(StrCat("what is kept of the scan of order ", job.order_id, " is damaged"));
  }
  CORDON_ASSIGN_OR_RETURN(job.roots, LoadRoots());
  return job;
}

absl::StatusOr<std::vector<ScanRoot>> JobStore::LoadRoots() {
  CORDON_ASSIGN_OR_RETURN(Statement find,
                          database_.Prepare("SELECT path, task FROM job_root ORDER BY position"));
  std::vector<ScanRoot> roots;
  while (true) {
    CORDON_ASSIGN_OR_RETURN(const bool row, find.Step());
    if (!row) return roots;
    roots.push_back(
        {.path = std::string(find.Bytes(0)), .baseline = static_cast<ScanRoot::Baseline>(find.Int(1))});
  }
}

absl::Status JobStore::SetPaused(bool paused) {
  CORDON_ASSIGN_OR_RETURN(Statement update, database_.Prepare("UPDATE job SET paused = ?"));
  return update.Bind(1, paused ? kPaused : 0).Run();
}

absl::Status JobStore::SetCancelled() {
  CORDON_ASSIGN_OR_RETURN(Statement update, database_.Prepare("UPDATE job SET paused = ?"));
  return update.Bind(1, kCancelled).Run();
}

absl::Status JobStore::SetBaselineBefore(const std::string& sha256) {
  CORDON_ASSIGN_OR_RETURN(Statement update, database_.Prepare("UPDATE job SET baseline_before = ?"));
  return update.BindBlob(1, sha256).Run();
}

absl::Status JobStore::End() {
  return database_.Transaction([&] { return database_.Execute(kClear); });
}

absl::StatusOr<JobStore::Told> JobStore::Remember(const std::string& finding) {
  CORDON_ASSIGN_OR_RETURN(Statement find, database_.Prepare("SELECT sure FROM told WHERE finding = ?"));
  CORDON_ASSIGN_OR_RETURN(const bool row, find.BindBlob(1, finding).Step());
  if (row && find.Int(0) == kCounted) return Told::kCounted;
  if (row) return find.Int(0) == kSure ? Told::kYes : Told::kPerhaps;
  CORDON_ASSIGN_OR_RETURN(Statement insert, database_.Prepare("INSERT INTO told(finding) VALUES(?)"));
  CORDON_RETURN_IF_ERROR(insert.BindBlob(1, finding).Run());
  return Told::kNo;
}

absl::Status JobStore::Advance(const Step& step) {
  const auto for_each = [&](std::string_view sql, std::span<const std::string> findings) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(Statement statement, database_.Prepare(sql));
    for (const std::string& finding : findings) {
      CORDON_RETURN_IF_ERROR(statement.BindBlob(1, finding).Run());
    }
    return absl::OkStatus();
  };
  return database_.Transaction([&]() -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(Statement move, database_.Prepare("UPDATE job SET cursor = ?, progress = ?"));
    step.cursor.has_value() ? move.BindBlob(1, *step.cursor) : move.BindNull(1);
    CORDON_RETURN_IF_ERROR(move.BindBlob(2, step.progress.SerializeAsString()).Run());
    CORDON_RETURN_IF_ERROR(for_each("UPDATE told SET sure = 1 WHERE finding = ?", step.told));
    CORDON_RETURN_IF_ERROR(for_each("UPDATE told SET sure = 2 WHERE finding = ?", step.kept));
    return for_each("DELETE FROM told WHERE finding = ?", step.done);
  });
}

}  // namespace cordon::agent
