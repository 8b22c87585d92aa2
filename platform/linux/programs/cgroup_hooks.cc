#include "platform/linux/programs/cgroup_hooks.h"

#include <bpf/libbpf.h>
#include <fcntl.h>

#include <array>
#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "common/base/status.h"
#include "platform/api/files.h"
#include "platform/linux/bpf/loading.h"
#include "platform/linux/programs/mounts.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wpedantic"
#include "programs.skel.h"
#pragma GCC diagnostic pop

namespace cordon::platform {
namespace {

constexpr bpf_attach_type kHooks[] = {BPF_CGROUP_INET_SOCK_CREATE, BPF_CGROUP_INET4_CONNECT,
                                      BPF_CGROUP_INET6_CONNECT};
constexpr uint32_t kMaxAttached = 64;  // the kernel's own bound per hook
constexpr uint32_t kMaxMaps = 8;
constexpr size_t kMaxMountinfo = 16U << 20;

absl::Status Failed(int error, std::string_view what) {
  const std::string why = std::system_category().message(error);
  if (error == EPERM || error == EACCES) {
    return absl::PermissionDeniedError(
        StrCat("rules for programs: cannot ", what, ": ", why,
               " (needs CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN and a kernel that is not locked "
               "down)"));
  }
  if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    return absl::UnimplementedError(
        "rules for programs: this kernel has no type information (/sys/kernel/btf/vmlinux, "
        "CONFIG_DEBUG_INFO_BTF)");
  }
  return absl::UnimplementedError(
      StrCat("rules for programs: cannot ", what, ": ", why, " (needs Linux 5.10 with CONFIG_CGROUP_BPF)"));
}

std::string_view NameOf(bpf_attach_type hook) {
  if (hook == BPF_CGROUP_INET_SOCK_CREATE) return "the creation of sockets";
  return hook == BPF_CGROUP_INET4_CONNECT ? "connect over IPv4" : "connect over IPv6";
}

struct ProgramFacts {
  std::string name;
  std::array<uint32_t, kMaxMaps> maps{};
  uint32_t map_count = 0;
};

bool ReadProgram(int fd, ProgramFacts* facts) {
  bpf_prog_info info{};
  info.nr_map_ids = kMaxMaps;
  info.map_ids = reinterpret_cast<uint64_t>(facts->maps.data());
  uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) return false;
  facts->name = info.name;
  facts->map_count = std::min(info.nr_map_ids, kMaxMaps);
  return true;
}

// The maps of a program of ours, by their names.
struct ProgramMaps {
  Fd scope;
  Fd files;
  Fd marks;
  uint32_t files_id = 0;
};

ProgramMaps OpenMaps(const ProgramFacts& facts) {
  ProgramMaps maps;
  for (uint32_t at = 0; at < facts.map_count; ++at) {
    Fd fd(bpf_map_get_fd_by_id(facts.maps.at(at)));
    bpf_map_info info{};
    uint32_t size = sizeof(info);
    if (!fd.Valid() || bpf_obj_get_info_by_fd(fd.Get(), &info, &size) != 0) continue;
    const std::string_view name = info.name;
    if (name == "cordon_scope" && info.value_size == sizeof(cordon_scope)) {
      maps.scope = std::move(fd);
    } else if (name == "cordon_files" && info.key_size == sizeof(cordon_executable)) {
      maps.files = std::move(fd);
      maps.files_id = info.id;
    } else if (name == "cordon_marks" && info.key_size == sizeof(uint32_t)) {
      maps.marks = std::move(fd);
    }
  }
  return maps;
}

Fd Duplicate(int fd) {
  return Fd(fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

template <typename Key>
std::vector<Key> KeysOf(int map) {
  std::vector<Key> keys;
  Key key{};
  for (int next = bpf_map_get_next_key(map, nullptr, &key);
       next == 0 && keys.size() <= size_t{CORDON_MAX_PROGRAMS};
       next = bpf_map_get_next_key(map, &key, &key)) {
    keys.push_back(key);
  }
  return keys;
}

}  // namespace

bool HookSet::IsWhole() const {
  return programs.size() == std::size(kHooks) && files.Valid() && marks.Valid() &&
         version == CORDON_PROGRAMS_VERSION;
}

absl::StatusOr<int> CgroupHooks::Root() {
  if (root_.Valid()) return root_.Get();
  CORDON_ASSIGN_OR_RETURN(const std::string mountinfo,
                          ReadFileBounded("/proc/self/mountinfo", kMaxMountinfo));
  const std::string path = UnifiedHierarchy(mountinfo);
  if (path.empty()) {
    return absl::UnimplementedError(
        "rules for programs: no cgroup version 2 hierarchy is mounted (on most systems /sys/fs/cgroup)");
  }
  root_ = Fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root_.Valid()) return Failed(errno, StrCat("open ", path));
  return root_.Get();
}

absl::Status CgroupHooks::AddIfOwn(bpf_attach_type hook, uint32_t id, SetsByMap* sets) const {
  Fd program(bpf_prog_get_fd_by_id(id));
  if (!program.Valid() && errno == ENOENT) return absl::OkStatus();  // gone in between
  ProgramFacts facts;
  if (!program.Valid() || !ReadProgram(program.Get(), &facts)) {
    return Failed(errno, "read a program of the root cgroup");
  }
  if (!facts.name.starts_with("cordon_c")) return absl::OkStatus();
  ProgramMaps maps = OpenMaps(facts);
  cordon_scope scope{};
  const uint32_t zero = 0;
  if (!maps.scope.Valid() || bpf_map_lookup_elem(maps.scope.Get(), &zero, &scope) != 0) {
    return absl::OkStatus();
  }
  if (scope.net_namespace != net_namespace_) return absl::OkStatus();
  HookSet& set = (*sets)[maps.files_id];
  set.programs[hook] = std::move(program);
  set.version = scope.version;
  if (maps.files.Valid()) set.files = std::move(maps.files);
  if (maps.marks.Valid()) set.marks = std::move(maps.marks);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<HookSet>> CgroupHooks::Attached() {
  CORDON_ASSIGN_OR_RETURN(const int root, Root());
  SetsByMap sets;
  for (const bpf_attach_type hook : kHooks) {
    std::array<uint32_t, kMaxAttached> ids{};
    uint32_t count = kMaxAttached;
    uint32_t flags = 0;
    if (bpf_prog_query(root, hook, 0, &flags, ids.data(), &count) != 0) {
      return Failed(errno, "list the programs of the root cgroup");
    }
    for (uint32_t at = 0; at < count; ++at) CORDON_RETURN_IF_ERROR(AddIfOwn(hook, ids.at(at), &sets));
  }
  std::vector<HookSet> found;
  found.reserve(sets.size());
  for (auto& [id, set] : sets) found.push_back(std::move(set));
  return found;
}

absl::StatusOr<HookSet> CgroupHooks::Load() const {
  const BpfLoading loading;
  const std::unique_ptr<programs_bpf, BpfDestroyer<programs_bpf__destroy>> skeleton(programs_bpf__open());
  if (skeleton == nullptr) return Failed(errno, "open the BPF programs");
  if (const int error = programs_bpf__load(skeleton.get()); error != 0) {
    return Failed(-error, "load the BPF programs");
  }
  const cordon_scope scope{.version = CORDON_PROGRAMS_VERSION, .net_namespace = net_namespace_};
  const uint32_t zero = 0;
  const int scope_map = bpf_map__fd(skeleton->maps.cordon_scope);
  if (bpf_map_update_elem(scope_map, &zero, &scope, BPF_ANY) != 0 || bpf_map_freeze(scope_map) != 0) {
    return Failed(errno, "write the BPF map");
  }
  HookSet set;
  set.programs[BPF_CGROUP_INET_SOCK_CREATE] = Duplicate(bpf_program__fd(skeleton->progs.cordon_create));
  set.programs[BPF_CGROUP_INET4_CONNECT] = Duplicate(bpf_program__fd(skeleton->progs.cordon_connect4));
  set.programs[BPF_CGROUP_INET6_CONNECT] = Duplicate(bpf_program__fd(skeleton->progs.cordon_connect6));
  set.files = Duplicate(bpf_map__fd(skeleton->maps.cordon_files));
  set.marks = Duplicate(bpf_map__fd(skeleton->maps.cordon_marks));
  set.version = CORDON_PROGRAMS_VERSION;
  return set;
}

absl::Status CgroupHooks::Attach(const HookSet& set) {
  CORDON_ASSIGN_OR_RETURN(const int root, Root());
  for (const auto& [hook, program] : set.programs) {
    // Beside whatever others have attached; below the root nobody can shut these out.
    if (bpf_prog_attach(program.Get(), root, hook, BPF_F_ALLOW_MULTI) != 0) {
      const absl::Status failed = Failed(errno, StrCat("watch ", NameOf(hook), " in the root cgroup"));
      (void)Detach(set);
      return failed;
    }
  }
  return absl::OkStatus();
}

absl::Status CgroupHooks::Detach(const HookSet& set) {
  CORDON_ASSIGN_OR_RETURN(const int root, Root());
  absl::Status status;
  for (const auto& [hook, program] : set.programs) {
    if (bpf_prog_detach2(program.Get(), root, hook) != 0 && errno != ENOENT) {
      status = Failed(errno, StrCat("stop watching ", NameOf(hook), " in the root cgroup"));
    }
  }
  return status;
}

MarksByFile CgroupHooks::Read(const HookSet& set) {
  MarksByFile marks;
  for (const cordon_executable& key : KeysOf<cordon_executable>(set.files.Get())) {
    uint32_t mark = 0;
    if (bpf_map_lookup_elem(set.files.Get(), &key, &mark) == 0) marks[key] = mark;
  }
  return marks;
}

bool CgroupHooks::Agrees(const HookSet& set, const MarksByFile& marks) {
  std::set<uint32_t> wanted;
  for (const auto& [key, mark] : marks) wanted.insert(mark);
  const std::vector<uint32_t> present = KeysOf<uint32_t>(set.marks.Get());
  return std::set<uint32_t>(present.begin(), present.end()) == wanted;
}

absl::Status CgroupHooks::Write(const HookSet& set, const MarksByFile& wanted) {
  std::set<uint32_t> marks;
  for (const auto& [key, mark] : wanted) {
    const uint32_t one = 1;
    marks.insert(mark);
    if (bpf_map_update_elem(set.marks.Get(), &mark, &one, BPF_ANY) != 0 ||
        bpf_map_update_elem(set.files.Get(), &key, &mark, BPF_ANY) != 0) {
      return Failed(errno, "write the BPF map");
    }
  }
  for (const cordon_executable& key : KeysOf<cordon_executable>(set.files.Get())) {
    if (!wanted.contains(key)) bpf_map_delete_elem(set.files.Get(), &key);
  }
  for (const uint32_t mark : KeysOf<uint32_t>(set.marks.Get())) {
    if (!marks.contains(mark)) bpf_map_delete_elem(set.marks.Get(), &mark);
  }
  return absl::OkStatus();
}

}  // namespace cordon::platform
