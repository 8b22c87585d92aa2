#include "platform/linux/files/mount_table.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include "common/base/paths.h"
#include "common/base/status.h"
#include "platform/linux/files/open_folder.h"
#include "platform/linux/programs/mounts.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kAutofs = "autofs";

// Those that are in neither list are local. "fuse", "fuse.sshfs", … wait for a program that may be gone.
constexpr std::array kNetworkTypes = {"nfs"sv,  "nfs4"sv,     "cifs"sv,  "smb3"sv,  "smbfs"sv,
                                      "afs"sv,  "ceph"sv,     "9p"sv,    "fuse"sv,  "fuseblk"sv,
                                      "coda"sv, "virtiofs"sv, "ncpfs"sv, "lustre"sv};
constexpr std::array kKernelTypes = {
    "proc"sv, "sysfs"sv,      "devtmpfs"sv, "devpts"sv, "cgroup"sv,   "cgroup2"sv, "debugfs"sv, "tracefs"sv,
    "bpf"sv,  "securityfs"sv, "configfs"sv, "pstore"sv, "efivarfs"sv, "mqueue"sv,  "fusectl"sv, kAutofs};

FilesystemKind KindOf(std::string_view type) {
  if (std::ranges::find(kKernelTypes, type) != kKernelTypes.end()) return FilesystemKind::kKernel;
  const bool network = std::ranges::find(kNetworkTypes, type) != kNetworkTypes.end();
  return network || type.starts_with("fuse.") ? FilesystemKind::kNetwork : FilesystemKind::kLocal;
}

// "36 35 98:0 /root /point rw,noatime master:1 - ext4 /dev/sda1 rw": before the "-" any number of fields.
std::optional<MountEntry> ParseLine(const std::string& line) {
  std::istringstream fields(line);
  MountEntry entry;
  std::string device, root, point, field;
  if (!(fields >> entry.id >> entry.parent >> device >> root >> point)) return std::nullopt;
  while (fields >> field && field != "-") {
  }
  std::string type;
  if (!(fields >> type)) return std::nullopt;
  entry.point = UnescapeMountField(point);
  entry.filesystem = {.kind = KindOf(type), .name = UnescapeMountField(type)};
  std::string options;
  std::getline(fields, options);
  entry.trigger =
      type == kAutofs && (options.find(",direct") != options.npos || options.find(",offset") != options.npos);
  return entry;
}

bool IsFar(const MountEntry& entry) {
  return entry.filesystem.kind == FilesystemKind::kNetwork;
}

}  // namespace

MountTable ParseMountInfo(std::string_view text) {
  std::vector<MountEntry> entries;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (std::optional<MountEntry> entry = ParseLine(line)) entries.push_back(*std::move(entry));
  }
  return MountTable(std::move(entries));
}

MountTable MountTable::Now() {
  std::ifstream table("/proc/self/mountinfo", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(table), {}};
  return ParseMountInfo(text);
}

// Of what is mounted on `from` (none: on nothing that the table has) and holds `path`, the outermost: it
// hides the others, unless they are on it.
const MountEntry* MountTable::NextOnWay(const MountEntry* from, std::string_view path) const {
  const auto is_on_nothing = [&](const MountEntry& entry) {
    return entry.parent == entry.id ||
           std::ranges::none_of(entries_, [&](const MountEntry& other) { return other.id == entry.parent; });
  };
  const MountEntry* next = nullptr;
  for (const MountEntry& entry : entries_) {
    if (!IsAtOrBelow(path, entry.point)) continue;
    if (from == nullptr ? !is_on_nothing(entry) : entry.parent != from->id || entry.id == from->id) continue;
    if (next == nullptr || entry.point.size() < next->point.size()) next = &entry;
  }
  return next;
}

std::vector<const MountEntry*> MountTable::WayTo(std::string_view path) const {
  std::vector<const MountEntry*> way;
  const MountEntry* next = NextOnWay(nullptr, path);
  while (next != nullptr && way.size() < entries_.size()) {
    way.push_back(next);
    next = NextOnWay(next, path);
  }
  return way;
}

Filesystem MountTable::At(const std::filesystem::path& path) const {
  const std::vector<const MountEntry*> way = WayTo(path.native());
  return way.empty() ? Filesystem() : way.back()->filesystem;
}

bool MountTable::MayNotAnswer(const std::filesystem::path& path) const {
  const bool any = std::ranges::any_of(
      entries_, [](const MountEntry& entry) { return IsFar(entry) || entry.filesystem.name == kAutofs; });
  if (!any) return false;
  const std::vector<const MountEntry*> way = WayTo(path.native());
  for (size_t i = 0; i < way.size(); ++i) {
    // Under another mount at the same point it is passed by without being asked.
    const bool is_covered = i + 1 < way.size() && way[i + 1]->point == way[i]->point;
    if (IsFar(*way[i]) && !is_covered) return true;
  }
  if (way.empty() || way.back()->filesystem.name != kAutofs) return false;
  // A folder of autofs itself answers, as a rule; what is in it and not mounted yet would be mounted now.
  return way.back()->trigger || way.back()->point != path.native();
}

std::vector<std::filesystem::path> MountTable::Below(const std::filesystem::path& folder) const {
  std::vector<std::filesystem::path> points;
  for (const MountEntry& entry : entries_) {
    if (entry.point == folder.native() || !IsAtOrBelow(entry.point, folder.native())) continue;
    const std::vector<const MountEntry*> way = WayTo(entry.point);
    if (!way.empty() && way.back() == &entry) points.emplace_back(entry.point);
  }
  return points;
}

absl::Status ReadFolderHere(const std::filesystem::path& folder, const MountTable& mounts,
                            const std::function<bool(FolderEntry)>& visit) {
  const std::vector<std::filesystem::path> below = mounts.Below(folder);
  const bool all_answer = std::ranges::none_of(below, [&](const std::filesystem::path& mount) {
    return mount.parent_path() == folder && mounts.MayNotAnswer(mount);
  });
  if (all_answer && mounts.At(folder).name != kAutofs) return ReadFolder(folder, visit);
  CORDON_ASSIGN_OR_RETURN(Fd opened, OpenFolder(folder));
  std::vector<std::string> names;
  CORDON_RETURN_IF_ERROR(
      ReadNames(std::move(opened), folder,
                [&](std::string_view name, unsigned char /*type*/) { names.emplace_back(name); }));
  for (std::string& name : names) {
    const std::filesystem::path path = folder / name;
    if (mounts.MayNotAnswer(path)) continue;
    absl::StatusOr<FileMetadata> metadata = ReadFileMetadata(path);
    if (absl::IsNotFound(metadata.status())) continue;
    FolderEntry entry{.name = std::move(name), .status = metadata.status(), .metadata = {}};
    if (metadata.ok()) entry.metadata = *std::move(metadata);
    if (!visit(std::move(entry))) break;
  }
  return absl::OkStatus();
}

}  // namespace cordon::platform
