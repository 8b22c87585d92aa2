#include "common/sqlite/database.h"

#include <sqlite3.h>

#include <limits>
#include <utility>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace cordon {
namespace {

constexpr int kBusyTimeoutMillis = 10'000;

absl::Status SqliteError(sqlite3* database, int code, std::string_view what) {
  const std::string message =
      StrCat(what, ": ", database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code));
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(message);
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(message);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
      return absl::UnavailableError(message);
    case SQLITE_CONSTRAINT:
      return absl::AlreadyExistsError(message);
    default:
      return absl::InternalError(message);
  }
}

absl::Status QuickCheck(Database& database) {
  CORDON_ASSIGN_OR_RETURN(Statement check, database.Prepare("PRAGMA quick_check(1)"));
  CORDON_ASSIGN_OR_RETURN(const bool row, check.Step());
  if (!row || check.Bytes(0) != "ok") {
    return absl::DataLossError(StrCat("quick_check: ", row ? check.Bytes(0) : "no answer"));
  }
  return absl::OkStatus();
}

}  // namespace

Statement::Statement(sqlite3* database, sqlite3_stmt* statement)
    : database_(database), statement_(statement) {}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      bind_result_(other.bind_result_) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(database_, other.database_);
  std::swap(statement_, other.statement_);
  std::swap(bind_result_, other.bind_result_);
  return *this;
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

Statement& Statement::Bind(int index, int64_t value) {
  bind_result_ |= sqlite3_bind_int64(statement_, index, value);
  return *this;
}

Statement& Statement::BindUnsigned(int index, uint64_t value) {
  if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    bind_result_ |= SQLITE_RANGE;
    return *this;
  }
  return Bind(index, static_cast<int64_t>(value));
}

Statement& Statement::BindText(int index, std::string_view value) {
  bind_result_ |= sqlite3_bind_text64(statement_, index, value.data() == nullptr ? "" : value.data(),
                                      value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}

Statement& Statement::BindBlob(int index, std::string_view value) {
  bind_result_ |= sqlite3_bind_blob64(statement_, index, value.data() == nullptr ? "" : value.data(),
                                      value.size(), SQLITE_TRANSIENT);
  return *this;
}

Statement& Statement::BindNull(int index) {
  bind_result_ |= sqlite3_bind_null(statement_, index);
  return *this;
}

absl::StatusOr<bool> Statement::Step() {
  if (bind_result_ != SQLITE_OK) {
    return absl::InvalidArgumentError(StrCat("cannot bind to: ", sqlite3_sql(statement_)));
  }
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return SqliteError(database_, result, sqlite3_sql(statement_));
}

absl::Status Statement::Run() {
  absl::Status status;
  while (true) {
    const absl::StatusOr<bool> row = Step();
    if (!row.ok()) status = row.status();
    if (!row.ok() || !*row) break;
  }
  Reset();
  return status;
}

void Statement::Reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  bind_result_ = SQLITE_OK;
}

int64_t Statement::Int(int column) const {
  return sqlite3_column_int64(statement_, column);
}

uint64_t Statement::Unsigned(int column) const {
  return static_cast<uint64_t>(Int(column));
}

std::string_view Statement::Bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<size_t>(size)};
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

Database::Database(sqlite3* database) : database_(database) {}
Database::Database(Database&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
Database& Database::operator=(Database&& other) noexcept {
  std::swap(database_, other.database_);
  return *this;
}
Database::~Database() {
  sqlite3_close_v2(database_);
}

absl::StatusOr<Database> Database::Open(const std::filesystem::path& path, Durability durability) {
  sqlite3* raw = nullptr;
  const int result =
      sqlite3_open_v2(path.string().c_str(), &raw,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nullptr);
  Database database(raw);
  if (result != SQLITE_OK) return SqliteError(raw, result, StrCat("cannot open ", path.string()));
  sqlite3_busy_timeout(raw, kBusyTimeoutMillis);
  sqlite3_extended_result_codes(raw, 1);
  const std::string_view synchronous =
      durability == Durability::kFull ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL";
  const absl::Status status = [&]() -> absl::Status {
    CORDON_RETURN_IF_ERROR(QuickCheck(database));
    CORDON_RETURN_IF_ERROR(database.Execute("PRAGMA journal_mode=WAL"));
    CORDON_RETURN_IF_ERROR(database.Execute(synchronous));
    return database.Execute("PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF");
  }();
  if (!status.ok()) return Annotate(status, path.string());
  return database;
}

absl::StatusOr<Database> Database::OpenReadOnly(const std::filesystem::path& path) {
  sqlite3* raw = nullptr;
  const int result =
      sqlite3_open_v2(path.string().c_str(), &raw, SQLITE_OPEN_READONLY | SQLITE_OPEN_FULLMUTEX, nullptr);
  Database database(raw);
  if (result != SQLITE_OK) return SqliteError(raw, result, StrCat("cannot open ", path.string()));
  sqlite3_busy_timeout(raw, kBusyTimeoutMillis);
  return database;
}

absl::Status Database::Execute(std::string_view sql) {
  const int result = sqlite3_exec(database_, std::string(sql).c_str(), nullptr, nullptr, nullptr);
  return result == SQLITE_OK ? absl::OkStatus() : SqliteError(database_, result, sql.substr(0, 100));
}

absl::StatusOr<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int result = sqlite3_prepare_v3(database_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (result != SQLITE_OK) return SqliteError(database_, result, StrCat("cannot prepare: ", sql));
  return Statement(database_, statement);
}

absl::Status Database::Transaction(const std::function<absl::Status()>& body) {
  CORDON_RETURN_IF_ERROR(Execute("BEGIN IMMEDIATE"));
  absl::Status status = body();
  if (status.ok()) status = Execute("COMMIT");
  if (!status.ok()) {
    // A failed COMMIT or a full disk may have rolled back by itself; asking again is harmless.
    static_cast<void>(Execute("ROLLBACK"));
  }
  return status;
}

absl::Status Database::Migrate(std::span<const std::string_view> steps) {
  int64_t version = 0;
  {
    CORDON_ASSIGN_OR_RETURN(Statement query, Prepare("PRAGMA user_version"));
    CORDON_RETURN_IF_ERROR(query.Step().status());
    version = query.Int(0);
  }
  if (version < 0 || version > static_cast<int64_t>(steps.size())) {
    return absl::FailedPreconditionError(StrCat("the database has schema version ", version,
                                                " and this program knows ", steps.size(),
                                                "; use the program that wrote it or a newer one"));
  }
  for (auto next = static_cast<size_t>(version); next < steps.size(); ++next) {
    CORDON_RETURN_IF_ERROR(Transaction([&]() -> absl::Status {
      CORDON_RETURN_IF_ERROR(Execute(steps[next]));
      return Execute(StrCat("PRAGMA user_version=", next + 1));
    }));
  }
  return absl::OkStatus();
}

int64_t Database::LastInsertId() const {
  return sqlite3_last_insert_rowid(database_);
}
int64_t Database::Changes() const {
  return sqlite3_changes64(database_);
}

absl::StatusOr<OpenedDatabase> OpenOrSetAside(const std::filesystem::path& path,
                                              Database::Durability durability) {
  absl::StatusOr<Database> database = Database::Open(path, durability);
  if (database.ok()) return OpenedDatabase{*std::move(database), std::nullopt, ""};
  if (database.status().code() != absl::StatusCode::kDataLoss) return database.status();
  const std::string suffix = StrCat(".damaged-", WallNowNanos() / kNanosPerSecond);
  const std::filesystem::path aside = path.string() + suffix;
  std::error_code error;
  std::filesystem::rename(path, aside, error);
  if (error)
    return Annotate(absl::UnavailableError(error.message()), StrCat("cannot set aside ", path.string()));
  for (const std::string_view extra : {"-wal", "-shm"}) {
    std::filesystem::rename(path.string() + std::string(extra), aside.string() + std::string(extra), error);
  }
  CORDON_ASSIGN_OR_RETURN(Database fresh, Database::Open(path, durability));
  return OpenedDatabase{std::move(fresh), aside, std::string(Message(database.status()))};
}

}  // namespace cordon
