#include "platform/api/program_marks.h"

#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/file_tree.h"

namespace cordon::platform {
namespace {

constexpr uint64_t kMostBytes = 4ULL << 30;

// WFP's filters name the program by its path, so there is nothing to mark. A program that is not the one that
// the profile names is told; whoever puts another file at its path is let through until then, which
// docs/known-issues.md says.
class PathPrograms final : public ProgramMarks {
 public:
  absl::Status Apply(const std::vector<ProgramIdentity>& /*programs*/) override { return absl::OkStatus(); }

  absl::StatusOr<ProgramReadback> ReadBack(const std::vector<ProgramIdentity>& intended) override {
    ProgramReadback readback{.matches = true, .differences = {}, .unbound = {}};
    for (const ProgramIdentity& program : intended) {
      const absl::Status status = CheckProgram(program);
      if (status.ok()) continue;
      // A file that is there and is another one would be let through: no longer what was intended.
      const bool other = absl::IsFailedPrecondition(status);
      (other ? readback.differences : readback.unbound).emplace_back(Message(status));
      if (other) readback.matches = false;
    }
    return readback;
  }
};

}  // namespace

std::unique_ptr<ProgramMarks> MakeProgramMarks() {
  return std::make_unique<PathPrograms>();
}

absl::Status CheckProgram(const ProgramIdentity& program) {
  const std::string name = StrCat("program ", Printable(program.path));
  const auto always = [] { return true; };
  if (program.sha256.empty()) {
    CORDON_ASSIGN_OR_RETURN(const FileMetadata metadata, ReadFileMetadata(program.path));
    if (metadata.type == FileType::kFile) return absl::OkStatus();
    return absl::FailedPreconditionError(StrCat(name, " is no file"));
  }
  const absl::StatusOr<HashedFile> file = HashFile(program.path, kMostBytes, always);
  CORDON_RETURN_IF_ERROR(Annotate(file.status(), name));
  if (file->sha256 == program.sha256) return absl::OkStatus();
  return absl::FailedPreconditionError(StrCat(name, " has another SHA-256 than the profile names"));
}

}  // namespace cordon::platform
