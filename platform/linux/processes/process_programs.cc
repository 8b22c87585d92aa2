#include "platform/linux/processes/process_programs.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "common/base/status.h"
#include "platform/linux/bpf/loading.h"
#include "platform/linux/system/fd.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wpedantic"
#include "processes.skel.h"
#pragma GCC diagnostic pop

namespace cordon::platform {
namespace {

absl::Status LoadError(int error, std::string_view what) {
  return BpfError("eBPF process source", "CAP_BPF, CAP_PERFMON and CAP_SYS_RESOURCE", what, error);
}

bool KernelTellsOfModules() {
  return libbpf_find_vmlinux_btf_id("module_load", BPF_TRACE_RAW_TP) > 0;
}

bool KernelLoadsModules() {
  return access("/proc/modules", F_OK) == 0;
}

using Skeleton = std::unique_ptr<processes_bpf, BpfDestroyer<processes_bpf__destroy>>;

}  // namespace

class ProcessPrograms::Impl {
 public:
  // A kernel that does not take one of the others may take those that are needed.
  absl::Status Load(uint32_t ring_bytes) {
    const absl::Status all = Load(ring_bytes, true);
    return all.ok() ? all : Load(ring_bytes, false);
  }

  absl::Status Attach() {
    const BpfLoading loading;
    for (bpf_program* const program : {skeleton_->progs.on_fork, skeleton_->progs.on_exec,
                                       skeleton_->progs.on_exit, skeleton_->progs.snapshot}) {
      BpfLink link(bpf_program__attach(program));
      if (link == nullptr) return LoadError(errno, "attach the programs");
      links_.push_back(std::move(link));
    }
    tells_privileges_ = TryAttach(skeleton_->progs.on_commit_creds);
    tells_traces_ = TryAttach(skeleton_->progs.on_ptrace_link);
    tells_modules_ = TryAttach(skeleton_->progs.on_module_load) || !KernelLoadsModules();
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Snapshot() const {
    const Fd iterator(bpf_iter_create(bpf_link__fd(links_.at(kSnapshot).get())));
    std::string bytes;
    std::array<char, 65'536> piece;
    ssize_t got = 0;
    while (iterator.Valid() && (got = read(iterator.Get(), piece.data(), piece.size())) > 0) {
      bytes.append(piece.data(), static_cast<size_t>(got));
    }
    if (!iterator.Valid() || got < 0) return absl::ErrnoToStatus(errno, "cannot list what runs already");
    return bytes;
  }

  Skeleton skeleton_;
  std::vector<BpfLink> links_;
  bool tells_privileges_ = false;
  bool tells_traces_ = false;
  bool tells_modules_ = false;

 private:
  static constexpr size_t kSnapshot = 3;  // its place in links_

  absl::Status Load(uint32_t ring_bytes, bool with_others) {
    const BpfLoading loading;
    skeleton_.reset(processes_bpf__open());
    if (skeleton_ == nullptr) return LoadError(errno, "open the program");
    skeleton_->rodata->wake_at_bytes = ring_bytes / 8;
    bpf_program__set_autoload(skeleton_->progs.on_commit_creds, with_others);
    bpf_program__set_autoload(skeleton_->progs.on_ptrace_link, with_others);
    bpf_program__set_autoload(skeleton_->progs.on_module_load, with_others && KernelTellsOfModules());
    if (bpf_map__set_max_entries(skeleton_->maps.ring, ring_bytes) != 0)
      return LoadError(errno, "size the ring");
    if (const int error = processes_bpf__load(skeleton_.get()); error != 0)
      return LoadError(-error, "load the program");
    return absl::OkStatus();
  }

  bool TryAttach(bpf_program* program) {
    if (bpf_program__fd(program) < 0) return false;  // not loaded
    BpfLink link(bpf_program__attach(program));
    if (link == nullptr) return false;
    links_.push_back(std::move(link));
    return true;
  }
};

ProcessPrograms::ProcessPrograms() : impl_(std::make_unique<Impl>()) {}
ProcessPrograms::~ProcessPrograms() = default;

absl::Status ProcessPrograms::Load(uint32_t ring_bytes) {
  return impl_->Load(ring_bytes);
}
absl::Status ProcessPrograms::Attach() {
  return impl_->Attach();
}
void ProcessPrograms::Detach() {
  impl_->links_.clear();
}
int ProcessPrograms::Ring() const {
  return bpf_map__fd(impl_->skeleton_->maps.ring);
}
std::span<cordon_loss, CORDON_KINDS> ProcessPrograms::Losses() const {
  return impl_->skeleton_->bss->loss;
}
bool ProcessPrograms::IsLoaded() const {
  return impl_->skeleton_ != nullptr;
}
absl::StatusOr<std::string> ProcessPrograms::Snapshot() const {
  return impl_->Snapshot();
}
bool ProcessPrograms::TellsPrivileges() const {
  return impl_->tells_privileges_;
}
bool ProcessPrograms::TellsTraces() const {
  return impl_->tells_traces_;
}
bool ProcessPrograms::TellsModules() const {
  return impl_->tells_modules_;
}

}  // namespace cordon::platform
