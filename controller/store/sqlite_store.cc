#include "controller/store/sqlite_store.h"

#include <utility>

#include "common/base/status.h"
#include "controller/store/schema.h"
#include "controller/store/sqlite_store_impl.h"

namespace cordon::controller {
namespace {

constexpr int kReaders = 4;
constexpr int kLongReaders = 2;
constexpr std::string_view kHowToRestore =
    "Cordon makes no new store in its place, since what hosts were told is stored would be lost. Stop the "
    "controller, "
    "keep a copy of the file with its -wal and -shm, and put back the newest backup, or salvage it with "
    "'sqlite3 FILE .recover'";

absl::Status ExplainDamage(const std::string& path, const absl::Status& status) {
  if (status.code() != absl::StatusCode::kDataLoss) return status;
  return absl::DataLossError(
      StrCat("the store ", path, " is damaged: ", Message(status), ". ", kHowToRestore));
}

absl::Status WriteFleet(Database& database, const Fleet& fleet) {
  CORDON_ASSIGN_OR_RETURN(Statement insert, database.Prepare("INSERT INTO fleet VALUES(1, ?, ?, ?)"));
  return insert.BindText(1, fleet.fleet_id)
      .BindText(2, fleet.organisation)
      .BindBlob(3, fleet.trust_bundle.SerializeAsString())
      .Run();
}

}  // namespace

absl::Status CreateSqliteStore(const std::filesystem::path& path, const Fleet& fleet, const Clock& clock) {
  if (std::filesystem::exists(path)) {
    return absl::AlreadyExistsError(StrCat("the store ", path.string(), " is there already"));
  }
  CORDON_ASSIGN_OR_RETURN(Database database, Database::Open(path, Database::Durability::kFull));
  std::error_code error;
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write,
                               error);
  if (error)
    return absl::UnavailableError(StrCat("cannot set the mode of ", path.string(), ": ", error.message()));
  CORDON_RETURN_IF_ERROR(database.Migrate(kSchema));
  return database.Transaction([&]() -> absl::Status {
    CORDON_RETURN_IF_ERROR(WriteFleet(database, fleet));
    CORDON_RETURN_IF_ERROR(BeginTrustHistory(database));
    return AppendAuditEntry(database, clock.WallNanos(), {"controller", "fleet.create", fleet.fleet_id, ""});
  });
}

absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(const std::filesystem::path& path,
                                                       const Clock& clock) {
  const std::string name = path.string();
  if (!std::filesystem::exists(path)) {
    return absl::NotFoundError(StrCat("there is no store at ", name,
                                      "; make one with 'cordon-controller init', or put back a backup"));
  }
  absl::StatusOr<std::unique_ptr<platform::FileLock>> lock = platform::LockFile(name + ".lock");
  if (!lock.ok()) return Annotate(lock.status(), "the store is in use by another controller");
  absl::StatusOr<Database> writer = Database::Open(path, Database::Durability::kFull);
  if (!writer.ok()) return ExplainDamage(name, writer.status());
  CORDON_RETURN_IF_ERROR(Annotate(writer->Migrate(kSchema), name));
  CORDON_RETURN_IF_ERROR(
      ExplainDamage(name, writer->Transaction([&] { return CompleteAuditTree(*writer); })));
  CORDON_RETURN_IF_ERROR(
      ExplainDamage(name, writer->Transaction([&] { return BeginTrustHistory(*writer); })));
  CORDON_ASSIGN_OR_RETURN(std::unique_ptr<ReaderPool> readers, ReaderPool::Open(path, kReaders));
  CORDON_ASSIGN_OR_RETURN(std::unique_ptr<ReaderPool> long_readers, ReaderPool::Open(path, kLongReaders));
  auto store = std::make_unique<SqliteStore>(name, *std::move(lock), *std::move(writer), std::move(readers),
                                             std::move(long_readers), clock);
  // A file without its fleet (an empty one, say) is no store.
  CORDON_RETURN_IF_ERROR(Annotate(store->GetFleet().status(), StrCat("cannot read the store ", name)));
  return store;
}

absl::Status SqliteStore::Write(const std::function<absl::Status(Database&)>& body) {
  const std::lock_guard lock(writer_mutex_);
  return Explain(writer_.Transaction([&] { return body(writer_); }));
}

absl::Status SqliteStore::Read(const std::function<absl::Status(Database&)>& body) {
  ReaderPool::Lease reader = readers_->Borrow();
  return Explain(body(*reader));
}

absl::Status SqliteStore::ReadLong(const std::function<absl::Status(Database&)>& body) {
  ReaderPool::Lease reader = long_readers_->Borrow();
  return Explain(body(*reader));
}

absl::Status SqliteStore::Explain(absl::Status status) const {
  return ExplainDamage(path_, status);
}

absl::StatusOr<Fleet> SqliteStore::GetFleet() {
  Fleet fleet;
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(Statement query,
                            database.Prepare("SELECT fleet_id, organisation, trust_bundle FROM fleet"));
    CORDON_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return absl::DataLossError("it has no fleet in it");
    fleet.fleet_id = query.Bytes(0);
    fleet.organisation = query.Bytes(1);
    return ParseStored(query.Bytes(2), &fleet.trust_bundle);
  }));
  return fleet;
}

absl::Status RecordCertificate(Database& database, std::string_view identity,
                               const CertificateRecord& certificate) {
  CORDON_ASSIGN_OR_RETURN(Statement insert, database.Prepare("INSERT INTO certificates VALUES(?, ?, ?, ?)"));
  return insert.BindText(1, certificate.serial_hex)
      .BindText(2, identity)
      .Bind(3, certificate.not_before_unix_nanos)
      .Bind(4, certificate.not_after_unix_nanos)
      .Run();
}

std::string PackLabels(std::span<const v1::Label> labels) {
  v1::Target holder;
  holder.mutable_labels()->Assign(labels.begin(), labels.end());
  return holder.SerializeAsString();
}

absl::StatusOr<std::vector<v1::Label>> UnpackLabels(std::string_view bytes) {
  v1::Target holder;
  CORDON_RETURN_IF_ERROR(ParseStored(bytes, &holder));
  return std::vector<v1::Label>(holder.labels().begin(), holder.labels().end());
}

}  // namespace cordon::controller
