#include "agent/scan/baseline.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"

namespace cordon::agent {
namespace {

constexpr uint64_t kBytesPerTransaction = 1024 * 1024;
constexpr int kAskEvery = 500;  // records, before a stop is looked for

struct Key {
  std::string folder;
  std::string name;
};

// Where the drive's letter ends in "C:/…"; 0 in "/…".
size_t RootSlash(const std::string& path) {
  return path.size() > 2 && path[1] == ':' ? 2 : 0;
}

// A root has no folder; "/" has no name either.
Key KeyOf(const std::string& path) {
  const size_t root = RootSlash(path);
  if (path.size() == root + 1) return {.folder = "", .name = root == 0 ? "" : path};
  const size_t slash = path.rfind('/');
  return {.folder = path.substr(0, slash == root ? slash + 1 : slash), .name = path.substr(slash + 1)};
}

std::string PathOf(std::string_view folder, std::string_view name) {
  if (folder.empty()) return name.empty() ? "/" : std::string(name);
  return StrCat(folder, folder.ends_with('/') ? "" : "/", name);
}

// Folders strictly below `folder` as a range of keys: from "folder/" to "folder0" ('0' is the byte after
// '/').
std::string BelowFrom(const std::string& folder) {
  return folder.ends_with('/') ? folder : folder + "/";
}
std::string BelowTo(const std::string& folder) {
  return (folder.ends_with('/') ? folder.substr(0, folder.size() - 1) : folder) + "0";
}

// The keys of a folder and of all folders below it. Keys between the two ranges are of other folders: "/a-b"
// comes before "/a/".
std::array<std::pair<std::string, std::string>, 2> RangesOf(const std::string& folder) {
  const std::string behind_it = folder + '\0';
  return {{{folder, behind_it}, {std::max(behind_it, BelowFrom(folder)), BelowTo(folder)}}};
}

// Without the link's target: it is asked for every entry, and copies no text.
platform::FileMetadata MetadataOf(const v1::BaselineEntry& entry) {
  return {.type = static_cast<platform::FileType>(entry.type()),
          .size = entry.size(),
          .mode = entry.mode(),
          .uid = entry.uid(),
          .gid = entry.gid(),
          .mtime_unix_nanos = entry.mtime_unix_nanos(),
          .ctime_unix_nanos = entry.ctime_unix_nanos(),
          .inode = entry.inode(),
          .links = entry.links(),
          .link_target = {}};
}

void Fill(std::string_view name, FileRecord record, v1::BaselineEntry* filled) {
  platform::FileMetadata& metadata = record.metadata;
  v1::BaselineEntry& entry = *filled;
  entry.set_name(std::string(name));
  entry.set_type(static_cast<uint32_t>(metadata.type));
  entry.set_size(metadata.size);
  entry.set_mode(metadata.mode);
  entry.set_uid(metadata.uid);
  entry.set_gid(metadata.gid);
  entry.set_mtime_unix_nanos(metadata.mtime_unix_nanos);
  entry.set_ctime_unix_nanos(metadata.ctime_unix_nanos);
  entry.set_inode(metadata.inode);
  entry.set_links(metadata.links);
  entry.set_sha256(std::move(record.sha256));
  entry.set_link_target(std::move(metadata.link_target));
  entry.set_attributes_sha256(std::move(record.attributes.sha256));
  entry.set_capabilities(std::move(record.attributes.capabilities));
}

v1::BaselineEntry ToEntry(const FileRecord& record) {
  v1::BaselineEntry entry;
  Fill(KeyOf(record.path).name, record, &entry);
  return entry;
}

// Their places change, not they.
void SortByName(v1::BaselineFolder* folder) {
  auto& entries = *folder->mutable_entries();
  std::sort(entries.pointer_begin(), entries.pointer_end(),
            [](const v1::BaselineEntry* a, const v1::BaselineEntry* b) { return a->name() < b->name(); });
}

absl::Status Damaged(std::string_view folder) {
  return absl::DataLossError(
      StrCat("the baseline of ", Printable(folder), " is damaged: make a new one (mode CREATE)"));
}

constexpr std::string_view kPutFresh =
    "INSERT OR REPLACE INTO fresh_folder(path, files, entries) VALUES(?, ?, ?)";
constexpr std::string_view kPut = "INSERT OR REPLACE INTO folder(path, files, entries) VALUES(?, ?, ?)";

absl::Status DeleteAtAndBelow(Database& database, std::string_view from_table, std::string_view column,
                              const std::string& root) {
  CORDON_ASSIGN_OR_RETURN(Statement remove, database.Prepare(StrCat("DELETE FROM ", from_table, " WHERE ",
                                                                    column, " >= ? AND ", column, " < ?")));
  for (const auto& [from, before] : RangesOf(root)) {
    CORDON_RETURN_IF_ERROR(remove.BindBlob(1, from).BindBlob(2, before).Run());
  }
  return absl::OkStatus();
}

}  // namespace

FileRecord ToRecord(std::string_view folder, v1::BaselineEntry entry) {
  FileRecord record{.path = PathOf(folder, entry.name()),
                    .metadata = MetadataOf(entry),
                    .sha256 = std::move(*entry.mutable_sha256()),
                    .attributes = {.sha256 = std::move(*entry.mutable_attributes_sha256()),
                                   .capabilities = std::move(*entry.mutable_capabilities())}};
  record.metadata.link_target = std::move(*entry.mutable_link_target());
  return record;
}

bool LooksUntouched(const v1::BaselineEntry& before, const platform::FileMetadata& after) {
  const platform::FileMetadata metadata = MetadataOf(before);
  const bool was_read = metadata.type != platform::FileType::kFile || !before.sha256().empty();
  return was_read && LooksUntouched(metadata, after);
}

absl::StatusOr<bool> Baseline::Covers(const std::string& path) {
  CORDON_ASSIGN_OR_RETURN(Statement roots, database_.Prepare("SELECT root FROM covered"));
  while (true) {
    CORDON_ASSIGN_OR_RETURN(const bool row, roots.Step());
    if (!row) return false;
    const std::string root(roots.Bytes(0));
    if (path == root || path.starts_with(BelowFrom(root))) return true;
  }
}

Baseline::Row Baseline::MakeRow(std::string folder, const v1::BaselineFolder& entries) {
  const auto files = std::ranges::count(entries.entries(), static_cast<uint32_t>(platform::FileType::kFile),
                                        &v1::BaselineEntry::type);
  return {.folder = std::move(folder),
          .entries = entries.SerializeAsString(),
          .files = static_cast<uint64_t>(files)};
}

absl::Status Baseline::Row::Put(Statement& put) const {
  return put.BindBlob(1, folder).BindUnsigned(2, files).BindBlob(3, entries).Run();
}

absl::Status Baseline::Add(const std::string& folder, std::vector<FileRecord> records) {
  adding_.Clear();
  for (FileRecord& record : records) {
    if (record.path == folder) {
      fresh_roots_.push_back(std::move(record));
      continue;
    }
    const std::string path = std::move(record.path);
    const std::string_view name = std::string_view(path).substr(path.rfind('/') + 1);
    Fill(name, std::move(record), adding_.add_entries());
  }
  SortByName(&adding_);
  fresh_.push_back(MakeRow(folder, adding_));
  fresh_bytes_ += fresh_.back().entries.size();
  return fresh_bytes_ < kBytesPerTransaction ? absl::OkStatus() : FlushFresh();
}

absl::Status Baseline::FlushFresh() {
  if (fresh_.empty()) return absl::OkStatus();
  CORDON_ASSIGN_OR_RETURN(Statement put, database_.Prepare(kPutFresh));
  CORDON_ASSIGN_OR_RETURN(Statement root,
                          database_.Prepare("INSERT OR REPLACE INTO fresh_root VALUES(?, ?)"));
  CORDON_RETURN_IF_ERROR(database_.Transaction([&]() -> absl::Status {
    for (const Row& row : fresh_) CORDON_RETURN_IF_ERROR(row.Put(put));
    for (const FileRecord& record : fresh_roots_) {
      CORDON_RETURN_IF_ERROR(
          root.BindBlob(1, record.path).BindBlob(2, ToEntry(record).SerializeAsString()).Run());
    }
    return absl::OkStatus();
  }));
  fresh_.clear();
  fresh_roots_.clear();
  fresh_bytes_ = 0;
  return absl::OkStatus();
}

// The folder that a root lies in may have a baseline too, with another record of it.
absl::Status Baseline::PatchParent(const std::string& root, const v1::BaselineEntry& record) {
  const Key key = KeyOf(root);
  v1::BaselineFolder parent;
  CORDON_ASSIGN_OR_RETURN(const bool known, Entries(key.folder, &parent));
  if (!known) return absl::OkStatus();
  auto& entries = *parent.mutable_entries();
  entries.erase(std::ranges::remove(entries, key.name, &v1::BaselineEntry::name).begin(), entries.end());
  if (record.type() != 0) *entries.Add() = record;
  SortByName(&parent);
  CORDON_ASSIGN_OR_RETURN(Statement put, database_.Prepare(kPut));
  return MakeRow(key.folder, parent).Put(put);
}

absl::Status Baseline::TakeRoot(const std::string& root, int64_t time_unix_nanos) {
  CORDON_RETURN_IF_ERROR(DeleteAtAndBelow(database_, "folder", "path", root));
  CORDON_RETURN_IF_ERROR(DeleteAtAndBelow(database_, "covered", "root", root));
  CORDON_ASSIGN_OR_RETURN(Statement fresh, database_.Prepare("SELECT record FROM fresh_root WHERE root = ?"));
  CORDON_ASSIGN_OR_RETURN(const bool there, fresh.BindBlob(1, root).Step());
  const std::string record(there ? fresh.Bytes(0) : std::string_view());
  fresh.Reset();
  v1::BaselineEntry entry;
  if (!entry.ParseFromString(record)) return Damaged(root);
  CORDON_ASSIGN_OR_RETURN(Statement cover, database_.Prepare("INSERT INTO covered VALUES(?, ?, ?)"));
  CORDON_RETURN_IF_ERROR(cover.BindBlob(1, root).Bind(2, time_unix_nanos).BindBlob(3, record).Run());
  return PatchParent(root, entry);
}

// Of a whole baseline, which is the usual case, no row is written twice: the two tables change their names.
absl::Status Baseline::MoveFresh() {
  CORDON_ASSIGN_OR_RETURN(Statement others, database_.Prepare("SELECT 1 FROM folder LIMIT 1"));
  CORDON_ASSIGN_OR_RETURN(const bool any, others.Step());
  others.Reset();
  return database_.Execute(
      any ? "INSERT OR REPLACE INTO folder SELECT * FROM fresh_folder; DELETE FROM fresh_folder"
          : "ALTER TABLE folder RENAME TO no_folder; ALTER TABLE fresh_folder RENAME TO folder; "
            "ALTER TABLE no_folder RENAME TO fresh_folder");
}

absl::StatusOr<bool> Baseline::HasRowsOutside(const std::vector<std::string>& roots) {
  std::vector<std::pair<std::string, std::string>> ranges;
  for (const std::string& root : roots) std::ranges::copy(RangesOf(root), std::back_inserter(ranges));
  std::ranges::sort(ranges);
  std::string from;  // all before it was looked at
  for (const auto& [begin, end] : ranges) {
    if (from < begin) {
      CORDON_ASSIGN_OR_RETURN(const bool between, FindFirstRow(from, begin));
      first_row_->Reset();
      if (between) return true;
    }
    from = std::max(from, end);
  }
  CORDON_ASSIGN_OR_RETURN(Statement behind,
                          database_.Prepare("SELECT 1 FROM folder WHERE path >= ? LIMIT 1"));
  return behind.BindBlob(1, from).Step();
}

absl::Status Baseline::Replace(const std::vector<std::string>& roots, int64_t time_unix_nanos) {
  CORDON_RETURN_IF_ERROR(FlushFresh());
  return database_.Transaction([&]() -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(const bool others, HasRowsOutside(roots));
    // All at once, as SQLite empties a table: it looks at no row for that.
    if (!others) CORDON_RETURN_IF_ERROR(database_.Execute("DELETE FROM folder"));
    for (const std::string& root : roots) CORDON_RETURN_IF_ERROR(TakeRoot(root, time_unix_nanos));
    CORDON_RETURN_IF_ERROR(MoveFresh());
    // A job that dies now does not begin to make it again when it goes on: there is nothing left to make it
    // of.
    return database_.Execute("DELETE FROM fresh_root; UPDATE job_root SET task = 2 WHERE task = 1");
  });
}

absl::StatusOr<bool> Baseline::FindFirstRow(const std::string& from, const std::string& before) {
  if (!first_row_.has_value()) {  // asked for every folder
    CORDON_ASSIGN_OR_RETURN(
        first_row_,
        database_.Prepare(
            "SELECT path, files, entries FROM folder WHERE path >= ? AND path < ? ORDER BY path LIMIT 1"));
  }
  first_row_->Reset();
  return first_row_->BindBlob(1, from).BindBlob(2, before).Step();
}

absl::StatusOr<std::optional<Baseline::Row>> Baseline::FirstRow(const std::string& from,
                                                                const std::string& before) {
  CORDON_ASSIGN_OR_RETURN(const bool there, FindFirstRow(from, before));
  if (!there) return std::nullopt;
  Row row{.folder = std::string(first_row_->Bytes(0)),
          .entries = std::string(first_row_->Bytes(2)),
          .files = first_row_->Unsigned(1)};
  first_row_->Reset();
  return row;
}

absl::StatusOr<bool> Baseline::Entries(const std::string& folder, v1::BaselineFolder* entries) {
  CORDON_ASSIGN_OR_RETURN(const bool there, FindFirstRow(folder, folder + '\0'));
  if (!there) return false;
  const std::string_view bytes = first_row_->Bytes(2);
  const bool whole = entries->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  first_row_->Reset();
  if (!whole) return Damaged(folder);
  return true;
}

absl::StatusOr<std::optional<FileRecord>> Baseline::Find(const std::string& path) {
  const Key key = KeyOf(path);
  CORDON_ASSIGN_OR_RETURN(Statement root, database_.Prepare("SELECT record FROM covered WHERE root = ?"));
  CORDON_ASSIGN_OR_RETURN(const bool own, root.BindBlob(1, path).Step());
  if (own) {
    v1::BaselineEntry entry;
    if (!entry.ParseFromString(std::string(root.Bytes(0)))) return Damaged(path);
    if (root.Bytes(0).empty()) return std::nullopt;
    return ToRecord(key.folder, std::move(entry));
  }
  v1::BaselineFolder folder;
  CORDON_ASSIGN_OR_RETURN(const bool known, Entries(key.folder, &folder));
  if (!known) return std::nullopt;
  const auto found = std::ranges::find(*folder.mutable_entries(), key.name, &v1::BaselineEntry::name);
  if (found == folder.mutable_entries()->end()) return std::nullopt;
  return ToRecord(key.folder, std::move(*found));
}

absl::Status Baseline::Children(const std::string& folder, v1::BaselineFolder* entries) {
  CORDON_ASSIGN_OR_RETURN(const bool there, Entries(folder, entries));
  if (!there) entries->Clear();
  return absl::OkStatus();
}

// No statement stays open while `visit` runs: what it writes, after another connection wrote, would be
// refused (SQLITE_BUSY_SNAPSHOT).
absl::Status Baseline::ForEachBelow(const std::string& folder,
                                    const std::function<absl::Status(FileRecord)>& visit,
                                    const std::function<bool()>& keep_going) {
  int visited = 0;
  for (const auto& [begin, end] : RangesOf(folder)) {
    std::string from = begin;
    while (true) {
      if (!keep_going()) return absl::OkStatus();
      CORDON_ASSIGN_OR_RETURN(const std::optional<Row> row, FirstRow(from, end));
      if (!row.has_value()) break;
      v1::BaselineFolder entries;
      if (!entries.ParseFromString(row->entries)) return Damaged(row->folder);
      for (v1::BaselineEntry& entry : *entries.mutable_entries()) {
        if (++visited % kAskEvery == 0 && !keep_going()) return absl::OkStatus();
        CORDON_RETURN_IF_ERROR(visit(ToRecord(row->folder, std::move(entry))));
      }
      from = row->folder + '\0';
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> Baseline::CountBelow(const std::string& root) {
  CORDON_ASSIGN_OR_RETURN(
      Statement count,
      database_.Prepare("SELECT sum(files) FROM folder WHERE path = ? OR (path >= ? AND path < ?)"));
  CORDON_ASSIGN_OR_RETURN(
      const bool row, count.BindBlob(1, root).BindBlob(2, BelowFrom(root)).BindBlob(3, BelowTo(root)).Step());
  return row ? count.Unsigned(0) : 0;
}

absl::StatusOr<std::string> Baseline::Hash(const std::vector<std::string>& roots,
                                           const std::function<bool()>& keep_going) {
  Sha256Stream digest;
  bool any = false;
  const auto add = [&](std::string_view key, std::string_view bytes) {
    digest.UpdateU32(static_cast<uint32_t>(key.size()));
    digest.Update(key);
    digest.UpdateU32(static_cast<uint32_t>(bytes.size()));
    digest.Update(bytes);
    any = true;
  };
  CORDON_ASSIGN_OR_RETURN(
      Statement rows,
      database_.Prepare("SELECT path, entries FROM folder WHERE path >= ? AND path < ? ORDER BY path"));
  for (const std::string& root : roots) {
    CORDON_ASSIGN_OR_RETURN(const std::optional<FileRecord> own, Find(root));
    if (own.has_value()) add(root, ToEntry(*own).SerializeAsString());
    for (const auto& [from, before] : RangesOf(root)) {
      rows.BindBlob(1, from).BindBlob(2, before);
      for (int read = 0;; ++read) {
        if (read % kAskEvery == 0 && !keep_going())
          return absl::CancelledError("stopped reading the baseline");
        CORDON_ASSIGN_OR_RETURN(const bool row, rows.Step());
        if (!row) break;
        add(rows.Bytes(0), rows.Bytes(1));
      }
      rows.Reset();
    }
  }
  return any ? digest.Finish() : std::string();
}

}  // namespace cordon::agent
