#include "agent/scan/scan_database.h"

#include <string_view>

#include "common/base/status.h"

namespace cordon::agent {
namespace {

// The first version's; its baseline had neither attributes nor hard links, and has to be made anew.
constexpr std::string_view kFirst = R"(
  CREATE TABLE file(folder BLOB NOT NULL, name BLOB NOT NULL, PRIMARY KEY(folder, name)) WITHOUT ROWID;
  CREATE TABLE fresh_file(folder BLOB NOT NULL, name BLOB NOT NULL, PRIMARY KEY(folder, name)) WITHOUT ROWID;
  CREATE TABLE covered(root BLOB PRIMARY KEY, made INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE job(order_id TEXT PRIMARY KEY, began INTEGER NOT NULL) WITHOUT ROWID;
)";

// Rows are found by folder, so that a scan reads one range per folder. Paths are bytes, not text.
constexpr std::string_view kSecond = R"(
  DROP TABLE file;
  DROP TABLE fresh_file;
  DROP TABLE job;
  DELETE FROM covered;
  CREATE TABLE file(folder BLOB NOT NULL, name BLOB NOT NULL, type INTEGER NOT NULL, size INTEGER NOT NULL,
    mode INTEGER NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL, mtime INTEGER NOT NULL, ctime INTEGER NOT NULL,
    inode INTEGER NOT NULL, links INTEGER NOT NULL, sha256 BLOB NOT NULL, link BLOB NOT NULL,
    attributes BLOB NOT NULL, capabilities TEXT NOT NULL, PRIMARY KEY(folder, name)) WITHOUT ROWID;
  CREATE TABLE fresh_file(folder BLOB NOT NULL, name BLOB NOT NULL, type INTEGER NOT NULL, size INTEGER NOT NULL,
    mode INTEGER NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL, mtime INTEGER NOT NULL, ctime INTEGER NOT NULL,
    inode INTEGER NOT NULL, links INTEGER NOT NULL, sha256 BLOB NOT NULL, link BLOB NOT NULL,
    attributes BLOB NOT NULL, capabilities TEXT NOT NULL, PRIMARY KEY(folder, name)) WITHOUT ROWID;
  CREATE TABLE job(
    one INTEGER PRIMARY KEY CHECK(one = 1),
    order_id TEXT NOT NULL,
    spec BLOB NOT NULL,               -- ScanSpec
    baseline_before BLOB,             -- NULL: not looked at yet
    paused INTEGER NOT NULL DEFAULT 0,
    cursor BLOB,                      -- all is done up to this folder; NULL: nothing is
    progress BLOB NOT NULL DEFAULT x'');  -- ScanProgress of what is done
  CREATE TABLE job_root(position INTEGER PRIMARY KEY, path BLOB NOT NULL, task INTEGER NOT NULL);
  CREATE TABLE told(                  -- findings beyond the cursor
    finding BLOB PRIMARY KEY, sure INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
)";

// A row for each folder, with a BaselineFolder. The baseline has to be made anew.
constexpr std::string_view kThird = R"(
  DROP TABLE file;
  DROP TABLE fresh_file;
  DROP TABLE covered;
  DELETE FROM job;
  DELETE FROM job_root;
  DELETE FROM told;
  CREATE TABLE folder(path BLOB PRIMARY KEY, files INTEGER NOT NULL, entries BLOB NOT NULL) WITHOUT ROWID;
  CREATE TABLE fresh_folder(path BLOB PRIMARY KEY, files INTEGER NOT NULL, entries BLOB NOT NULL) WITHOUT ROWID;
  CREATE TABLE covered(                -- roots that have a baseline
    root BLOB PRIMARY KEY, made INTEGER NOT NULL,
    record BLOB NOT NULL) WITHOUT ROWID; -- BaselineEntry of the root itself; empty: it was not there
  CREATE TABLE fresh_root(root BLOB PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
)";
constexpr std::string_view kSteps[] = {kFirst, kSecond, kThird};

}  // namespace

absl::StatusOr<Database> OpenScanDatabase(const std::filesystem::path& path, std::string* notice) {
  CORDON_ASSIGN_OR_RETURN(OpenedDatabase opened, OpenOrSetAside(path, Database::Durability::kNormal));
  if (opened.set_aside.has_value()) {
    *notice = StrCat("the baseline was damaged and set aside as ", opened.set_aside->string(), " (",
                     opened.damage, "); make a new one with a scan");
  }
  // Where SQLite is built to overwrite what is deleted (Debian's is), the end of a first pass wrote the whole
  // old baseline once more (decision 0055).
  CORDON_RETURN_IF_ERROR(opened.database.Execute("PRAGMA secure_delete=OFF"));
  CORDON_RETURN_IF_ERROR(opened.database.Migrate(kSteps));
  return std::move(opened.database);
}

}  // namespace cordon::agent
