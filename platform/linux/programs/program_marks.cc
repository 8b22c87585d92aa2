#include "platform/api/program_marks.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/linux/programs/cgroup_hooks.h"
#include "platform/linux/programs/executables.h"
#include "platform/linux/programs/open_sockets.h"

namespace cordon::platform {
namespace {

uint64_t OwnNetNamespace() {
  struct stat facts{};
  return stat("/proc/thread-self/ns/net", &facts) == 0 ? facts.st_ino : 0;
}

absl::Status CheckTags(const std::vector<ProgramIdentity>& programs) {
  std::map<uint32_t, const ProgramIdentity*> tags;
  for (const ProgramIdentity& program : programs) {
    const auto [at, is_new] = tags.emplace(ProgramTag(program), &program);
    if (is_new || *at->second == program) continue;
    return absl::InvalidArgumentError(
        StrCat("the programs ", Printable(at->second->path), " and ", Printable(program.path),
               " cannot be told apart by their marks; name one of them by another path"));
  }
  if (tags.size() > CORDON_MAX_PROGRAMS) {
    return absl::InvalidArgumentError(
        StrCat(tags.size(), " programs, at most ", static_cast<int>(CORDON_MAX_PROGRAMS)));
  }
  return absl::OkStatus();
}

class CgroupProgramMarks final : public ProgramMarks {
 public:
  CgroupProgramMarks() : net_namespace_(OwnNetNamespace()), hooks_(static_cast<uint32_t>(net_namespace_)) {}

  absl::Status Apply(const std::vector<ProgramIdentity>& programs) override {
    CORDON_RETURN_IF_ERROR(CheckTags(programs));
    CORDON_ASSIGN_OR_RETURN(std::vector<HookSet> attached, AttachedFor(programs));
    const auto whole =
        std::find_if(attached.begin(), attached.end(), [](const HookSet& set) { return set.IsWhole(); });
    if (programs.empty()) {
      applied_.reset();
      return DetachAllBut(attached, nullptr);
    }
    const Wanted wanted = Resolve(programs);
    HookSet fresh;
    MarksByFile before;
    if (whole == attached.end()) {
      CORDON_ASSIGN_OR_RETURN(fresh, hooks_.Load());
      CORDON_RETURN_IF_ERROR(CgroupHooks::Write(fresh, wanted.marks));
      CORDON_RETURN_IF_ERROR(hooks_.Attach(fresh));
    } else {
      before = CgroupHooks::Read(*whole);
      CORDON_RETURN_IF_ERROR(CgroupHooks::Write(*whole, wanted.marks));
    }
    applied_ = wanted.marks;
    // What opens from now on is marked by the hooks, so no socket falls between the two.
    for (const auto& [key, executable] : wanted.executables) {
      if (!before.contains(key)) MarkHeld(executable, wanted.marks.at(key));
    }
    return DetachAllBut(attached, whole == attached.end() ? nullptr : &*whole);
  }

  absl::StatusOr<ProgramReadback> ReadBack(const std::vector<ProgramIdentity>& intended) override {
    CORDON_ASSIGN_OR_RETURN(std::vector<HookSet> attached, AttachedFor(intended));
    ProgramReadback readback;
    if (intended.empty()) {
      readback.matches = attached.empty();
      return readback;
    }
    Wanted wanted = Resolve(intended);
    readback.unbound = std::move(wanted.unbound);
    if (attached.size() != 1 || !attached.front().IsWhole()) {
      readback.differences.emplace_back(
          attached.empty() ? "the BPF programs that mark the sockets of programs are not attached"
                           : "the BPF programs that mark the sockets of programs are not attached as meant");
      return readback;
    }
    const MarksByFile present = CgroupHooks::Read(attached.front());
    Compare(present, wanted.marks, &readback);
    if (!CgroupHooks::Agrees(attached.front(), present)) {
      readback.differences.emplace_back("the list of marks that programs may carry was changed");
    }
    readback.matches = present == wanted.marks && readback.differences.empty();
    return readback;
  }

 private:
  struct Wanted {
    MarksByFile marks;
    std::map<cordon_executable, Executable> executables;
    std::vector<std::string> unbound;
  };

  // Where the system cannot mark at all, nothing is attached: nothing to do for an empty list.
  absl::StatusOr<std::vector<HookSet>> AttachedFor(const std::vector<ProgramIdentity>& programs) {
    absl::StatusOr<std::vector<HookSet>> attached = hooks_.Attached();
    if (programs.empty() && absl::IsUnimplemented(attached.status())) return std::vector<HookSet>();
    return attached;
  }

  Wanted Resolve(const std::vector<ProgramIdentity>& programs) {
    Wanted wanted;
    for (const ProgramIdentity& program : programs) {
      const absl::StatusOr<Executable> found = executables_.Find(program);
      if (!found.ok()) {
        wanted.unbound.push_back(
            StrCat("no program is allowed as ", Printable(program.path), ": ", Message(found.status())));
        continue;
      }
      const auto [at, is_new] = wanted.marks.emplace(found->key, ProgramTag(program));
      wanted.executables.emplace(found->key, *found);
      if (!is_new && at->second != ProgramTag(program)) {
        wanted.unbound.push_back(StrCat("no program is allowed as ", Printable(program.path),
                                        ": it is the same file as another program of the profile; name it "
                                        "once"));
      }
    }
    return wanted;
  }

  // A key of an earlier content of a file is no difference; a key that never was this agent's is.
  void Compare(const MarksByFile& present, const MarksByFile& wanted, ProgramReadback* readback) const {
    if (!applied_.has_value()) return;
    const auto holds = [](const MarksByFile& marks, const MarksByFile::value_type& entry) {
      const auto at = marks.find(entry.first);
      return at != marks.end() && at->second == entry.second;
    };
    for (const auto& entry : present) {
      if (holds(wanted, entry) || holds(*applied_, entry)) continue;
      const cordon_executable& key = entry.first;
      readback->differences.push_back(StrCat("a program that the profile does not name (inode ", key.inode,
                                             " of device ", key.device >> 20, ":", key.device & 0xfffff,
                                             ") carries the mark of one that it names"));
    }
    for (const auto& [key, mark] : *applied_) {
      if (present.contains(key) || !wanted.contains(key)) continue;
      readback->differences.push_back(StrCat("the mark of a program (inode ", key.inode, ") was taken away"));
    }
  }

  void MarkHeld(const Executable& executable, uint32_t mark) const {
    const absl::Status marked = MarkOpenSockets(executable, mark, net_namespace_);
    if (marked.ok()) return;
    spdlog::warn(
        "rules for programs: sockets that were open before are cut, their program opens new ones: {}",
        Message(marked));
  }

  absl::Status DetachAllBut(const std::vector<HookSet>& attached, const HookSet* kept) {
    absl::Status status;
    for (const HookSet& set : attached) {
      if (&set == kept) continue;
      if (const absl::Status detached = hooks_.Detach(set); !detached.ok()) status = detached;
    }
    return status;
  }

  const uint64_t net_namespace_;
  CgroupHooks hooks_;
  Executables executables_;
  std::optional<MarksByFile> applied_;
};

}  // namespace

std::unique_ptr<ProgramMarks> MakeProgramMarks() {
  return std::make_unique<CgroupProgramMarks>();
}

absl::Status CheckProgram(const ProgramIdentity& program) {
  return Executables().Find(program).status();
}

}  // namespace cordon::platform
