#pragma once

// A thin owner around SQLite: prepared statements, transactions, and what to do with a damaged file.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace cordon {

// A prepared statement. Bind in order from 1, Step until false, then Reset to use it again. Not thread-safe.
class Statement {
 public:
  Statement(Statement&&) noexcept;
  Statement& operator=(Statement&&) noexcept;
  ~Statement();

  Statement& Bind(int index, int64_t value);
  // SQLite stores signed 64 bits; all values stay below 2^63 by contract, checked here (Step then fails).
  Statement& BindUnsigned(int index, uint64_t value);
  Statement& BindText(int index, std::string_view value);
  Statement& BindBlob(int index, std::string_view value);
  Statement& BindNull(int index);

  // True: a row is there. False: done.
  absl::StatusOr<bool> Step();
  // For statements without rows: Step until done, then Reset.
  absl::Status Run();
  void Reset();

  // Columns count from 0. Text and blob views live until the next Step, Reset or destruction.
  int64_t Int(int column) const;
  uint64_t Unsigned(int column) const;
  std::string_view Bytes(int column) const;
  bool IsNull(int column) const;

 private:
  friend class Database;
  Statement(sqlite3* database, sqlite3_stmt* statement);
  sqlite3* database_;
  sqlite3_stmt* statement_;
  int bind_result_ = 0;
};

// One connection. Not thread-safe: one thread at a time.
class Database {
 public:
  enum class Durability {
    kFull,    // a committed transaction survives a power cut
    kNormal,  // it survives a crash of the process; the newest may be lost in a power cut
  };

  // Opens or makes `path` in WAL mode. DATA_LOSS when the file is there and is no healthy SQLite database
  // (quick_check), UNAVAILABLE when it cannot be opened.
  static absl::StatusOr<Database> Open(const std::filesystem::path& path, Durability durability);
  // The same without the right to write or to make it.
  static absl::StatusOr<Database> OpenReadOnly(const std::filesystem::path& path);

  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  // Runs one or more statements without rows.
  absl::Status Execute(std::string_view sql);
  absl::StatusOr<Statement> Prepare(std::string_view sql);

  // BEGIN IMMEDIATE, `body`, COMMIT; ROLLBACK when `body` or the commit fails.
  absl::Status Transaction(const std::function<absl::Status()>& body);

  // Applies `steps[user_version …]` in one transaction each and raises user_version. FAILED_PRECONDITION when
  // the file is of a newer version than this program knows.
  absl::Status Migrate(std::span<const std::string_view> steps);

  int64_t LastInsertId() const;
  int64_t Changes() const;

 private:
  explicit Database(sqlite3* database);
  sqlite3* database_;
};

struct OpenedDatabase {
  Database database;
  // Set when a damaged file was moved aside to this path and an empty database made in its place.
  std::optional<std::filesystem::path> set_aside;
  std::string damage;  // what was wrong with it
};

// Open; a damaged file (with its -wal and -shm) is renamed to "<name>.damaged-<wall seconds>" and a new one
// is made.
absl::StatusOr<OpenedDatabase> OpenOrSetAside(const std::filesystem::path& path,
                                              Database::Durability durability);

}  // namespace cordon
