#include "agent/scan/baseline.h"

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/crypto/digest.h"

namespace cordon::agent {
namespace {

constexpr size_t kRowsPerTransaction = 2000;
constexpr int kRowsPerPage = 1000;

constexpr std::string_view kColumns =
    "folder, name, type, size, mode, uid, gid, mtime, ctime, inode, links, sha256, link, attributes, "
    "capabilities";

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

FileRecord ReadRow(const Statement& row) {
  FileRecord record;
  record.path = PathOf(row.Bytes(0), row.Bytes(1));
  record.metadata.type = static_cast<platform::FileType>(row.Int(2));
  record.metadata.size = row.Unsigned(3);
  record.metadata.mode = static_cast<uint32_t>(row.Int(4));
  record.metadata.uid = static_cast<uint32_t>(row.Int(5));
  record.metadata.gid = static_cast<uint32_t>(row.Int(6));
  record.metadata.mtime_unix_nanos = row.Int(7);
  record.metadata.ctime_unix_nanos = row.Int(8);
  record.metadata.inode = row.Unsigned(9);
  record.metadata.links = row.Unsigned(10);
  record.sha256 = std::string(row.Bytes(11));
  record.metadata.link_target = std::string(row.Bytes(12));
  record.attributes.sha256 = std::string(row.Bytes(13));
  record.attributes.capabilities = std::string(row.Bytes(14));
  return record;
}

absl::Status Insert(Statement& insert, const FileRecord& record) {
  const Key key = KeyOf(record.path);
  const platform::FileMetadata& metadata = record.metadata;
  return insert.BindBlob(1, key.folder)
      .BindBlob(2, key.name)
      .Bind(3, static_cast<int64_t>(metadata.type))
      .BindUnsigned(4, metadata.size)
      .Bind(5, metadata.mode)
      .Bind(6, metadata.uid)
      .Bind(7, metadata.gid)
      .Bind(8, metadata.mtime_unix_nanos)
      .Bind(9, metadata.ctime_unix_nanos)
      .Bind(10, static_cast<int64_t>(metadata.inode))
      .BindUnsigned(11, metadata.links)
      .BindBlob(12, record.sha256)
      .BindBlob(13, metadata.link_target)
      .BindBlob(14, record.attributes.sha256)
      .BindText(15, record.attributes.capabilities)
      .Run();
}

absl::Status RunAtAndBelow(Database& database, std::string_view verb, const std::string& root) {
  const Key key = KeyOf(root);
  CORDON_ASSIGN_OR_RETURN(Statement at, database.Prepare(StrCat(verb, " WHERE folder = ? AND name = ?")));
  CORDON_RETURN_IF_ERROR(at.BindBlob(1, key.folder).BindBlob(2, key.name).Run());
  CORDON_ASSIGN_OR_RETURN(Statement in, database.Prepare(StrCat(verb, " WHERE folder = ?")));
  CORDON_RETURN_IF_ERROR(in.BindBlob(1, root).Run());
  CORDON_ASSIGN_OR_RETURN(Statement below,
                          database.Prepare(StrCat(verb, " WHERE folder >= ? AND folder < ?")));
  return below.BindBlob(1, BelowFrom(root)).BindBlob(2, BelowTo(root)).Run();
}

void HashRecord(const FileRecord& record, Sha256Stream& digest) {
  const auto text = [&](std::string_view bytes) {
    digest.UpdateU32(static_cast<uint32_t>(bytes.size()));
    digest.Update(bytes);
  };
  text(record.path);
  digest.UpdateU32(static_cast<uint32_t>(record.metadata.type));
  digest.UpdateU64(record.metadata.type == platform::FileType::kFile ? record.metadata.size : 0);
  digest.UpdateU32(record.metadata.mode);
  digest.UpdateU32(record.metadata.uid);
  digest.UpdateU32(record.metadata.gid);
  text(record.sha256);
  text(record.metadata.link_target);
  text(record.attributes.sha256);
  digest.UpdateU64(record.metadata.type == platform::FileType::kDirectory ? 1 : record.metadata.links);
}

}  // namespace

absl::StatusOr<bool> Baseline::Covers(const std::string& path) {
  CORDON_ASSIGN_OR_RETURN(Statement roots, database_.Prepare("SELECT root FROM covered"));
  while (true) {
    CORDON_ASSIGN_OR_RETURN(const bool row, roots.Step());
    if (!row) return false;
    const std::string root(roots.Bytes(0));
    if (path == root || path.starts_with(BelowFrom(root))) return true;
  }
}

absl::Status Baseline::Add(const FileRecord& record) {
  fresh_.push_back(record);
  return fresh_.size() < kRowsPerTransaction ? absl::OkStatus() : FlushFresh();
}

absl::Status Baseline::FlushFresh() {
  CORDON_ASSIGN_OR_RETURN(Statement insert,
                          database_.Prepare(StrCat("INSERT OR REPLACE INTO fresh_file(", kColumns,
                                                   ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")));
  CORDON_RETURN_IF_ERROR(database_.Transaction([&]() -> absl::Status {
    for (const FileRecord& record : fresh_) CORDON_RETURN_IF_ERROR(Insert(insert, record));
    return absl::OkStatus();
  }));
  fresh_.clear();
  return absl::OkStatus();
}

absl::Status Baseline::Replace(const std::vector<std::string>& roots, int64_t time_unix_nanos) {
  CORDON_RETURN_IF_ERROR(FlushFresh());
  CORDON_ASSIGN_OR_RETURN(Statement cover, database_.Prepare("INSERT OR REPLACE INTO covered VALUES(?, ?)"));
  return database_.Transaction([&]() -> absl::Status {
    for (const std::string& root : roots) {
      CORDON_RETURN_IF_ERROR(RunAtAndBelow(database_, "DELETE FROM file", root));
      CORDON_RETURN_IF_ERROR(cover.BindBlob(1, root).Bind(2, time_unix_nanos).Run());
    }
    // A job that dies now does not begin to make it again when it goes on: there is nothing left to make it
    // of.
    return database_.Execute(
        "INSERT OR REPLACE INTO file SELECT * FROM fresh_file; DELETE FROM fresh_file; "
        "UPDATE job_root SET task = 2 WHERE task = 1");
  });
}

absl::StatusOr<std::optional<FileRecord>> Baseline::Find(const std::string& path) {
  const Key key = KeyOf(path);
  CORDON_ASSIGN_OR_RETURN(
      Statement find,
      database_.Prepare(StrCat("SELECT ", kColumns, " FROM file WHERE folder = ? AND name = ?")));
  CORDON_ASSIGN_OR_RETURN(const bool row, find.BindBlob(1, key.folder).BindBlob(2, key.name).Step());
  if (!row) return std::nullopt;
  return ReadRow(find);
}

absl::StatusOr<std::vector<FileRecord>> Baseline::Children(const std::string& folder) {
  if (!children_.has_value()) {  // asked for every folder
    CORDON_ASSIGN_OR_RETURN(children_,
                            database_.Prepare(StrCat("SELECT ", kColumns, " FROM file WHERE folder = ?")));
  }
  children_->Reset();
  children_->BindBlob(1, folder);
  std::vector<FileRecord> records;
  while (true) {
    CORDON_ASSIGN_OR_RETURN(const bool row, children_->Step());
    if (!row) break;
    records.push_back(ReadRow(*children_));
  }
  children_->Reset();
  return records;
}

absl::StatusOr<std::vector<FileRecord>> Baseline::PageBehind(const std::string& folder,
                                                             const std::string& name,
                                                             const std::string& end) {
  CORDON_ASSIGN_OR_RETURN(Statement find,
                          database_.Prepare(StrCat("SELECT ", kColumns,
                                                   " FROM file WHERE (folder, name) > (?, ?) AND folder < ? ",
                                                   "ORDER BY folder, name LIMIT ", kRowsPerPage)));
  find.BindBlob(1, folder).BindBlob(2, name).BindBlob(3, end);
  std::vector<FileRecord> page;
  while (true) {
    CORDON_ASSIGN_OR_RETURN(const bool row, find.Step());
    if (!row) return page;
    page.push_back(ReadRow(find));
  }
}

// No statement stays open while `visit` runs: what it writes, after another connection wrote, would be
// refused (SQLITE_BUSY_SNAPSHOT).
absl::Status Baseline::ForEachBelow(const std::string& folder,
                                    const std::function<absl::Status(FileRecord)>& visit,
                                    const std::function<bool()>& keep_going) {
  // Keys between the two ranges are of other folders: "/a-b" comes before "/a/".
  const std::string behind_children = folder + '\0';
  const std::pair<std::string, std::string> ranges[] = {
      {folder, behind_children}, {std::max(behind_children, BelowFrom(folder)), BelowTo(folder)}};
  for (const auto& [begin, end] : ranges) {
    Key last{.folder = begin, .name = {}};
    while (true) {
      if (!keep_going()) return absl::OkStatus();
      CORDON_ASSIGN_OR_RETURN(std::vector<FileRecord> page, PageBehind(last.folder, last.name, end));
      if (page.empty()) break;
      last = KeyOf(page.back().path);
      for (FileRecord& record : page) CORDON_RETURN_IF_ERROR(visit(std::move(record)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> Baseline::CountBelow(const std::string& root) {
  CORDON_ASSIGN_OR_RETURN(Statement count,
                          database_.Prepare("SELECT count(*) FROM file WHERE (folder = ? OR (folder >= ? AND "
                                            "folder < ?)) AND type = 1"));
  CORDON_ASSIGN_OR_RETURN(
      const bool row, count.BindBlob(1, root).BindBlob(2, BelowFrom(root)).BindBlob(3, BelowTo(root)).Step());
  return row ? count.Unsigned(0) : 0;
}

absl::StatusOr<std::string> Baseline::Hash(const std::vector<std::string>& roots,
                                           const std::function<bool()>& keep_going) {
  Sha256Stream digest;
  bool any = false;
  const auto add = [&](const FileRecord& record) {
    HashRecord(record, digest);
    any = true;
    return absl::OkStatus();
  };
  for (const std::string& root : roots) {
    CORDON_ASSIGN_OR_RETURN(const std::optional<FileRecord> at, Find(root));
    if (at.has_value()) CORDON_RETURN_IF_ERROR(add(*at));
    CORDON_RETURN_IF_ERROR(ForEachBelow(root, add, keep_going));
    if (!keep_going()) return absl::CancelledError("stopped reading the baseline");
  }
  return any ? digest.Finish() : std::string();
}

}  // namespace cordon::agent
