#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/strings.h"
#include "platform/api/program_marks.h"

namespace cordon::testing {

// Program marks that are held in memory, over files that a test makes up.
class FakeProgramMarks final : public platform::ProgramMarks {
 public:
  // Verbs of a test.
  void Install(const std::string& path, const std::string& sha256 = {}) {
    files_[path] = {.sha256 = sha256, .version = ++versions_};
  }
  void Remove(const std::string& path) { files_.erase(path); }
  void FailApply(absl::Status status) { apply_error_ = std::move(status); }
  // Somebody detaches the marks, or marks another program.
  void Lose() { held_.clear(), lost_ = true; }
  void Tamper(std::string difference) { tampered_ = std::move(difference); }

  // The mark of what the program at `path` opens now; 0: none.
  uint32_t MarkOf(const std::string& path) const {
    const auto file = files_.find(path);
    const auto held = held_.find(path);
    const bool is_same =
        file != files_.end() && held != held_.end() && file->second.version == held->second.version;
    return is_same ? held->second.mark : 0;
  }
  // Every list that was applied, in order.
  const std::vector<std::vector<platform::ProgramIdentity>>& History() const { return history_; }

  absl::Status Apply(const std::vector<platform::ProgramIdentity>& programs) override {
    if (!apply_error_.ok() && !programs.empty()) return apply_error_;
    history_.push_back(programs);
    held_.clear();
    tampered_.clear();
    lost_ = false;
    for (const platform::ProgramIdentity& program : programs) {
      if (Problem(program).empty()) {
        held_[program.path] = {.version = files_[program.path].version, .mark = ProgramTag(program)};
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<platform::ProgramReadback> ReadBack(
      const std::vector<platform::ProgramIdentity>& intended) override {
    platform::ProgramReadback readback;
    std::map<std::string, Held> wanted;
    for (const platform::ProgramIdentity& program : intended) {
      const std::string problem = Problem(program);
      if (!problem.empty()) {
        readback.unbound.push_back(StrCat("no program is allowed as ", program.path, ": ", problem));
      } else {
        wanted[program.path] = {.version = files_[program.path].version, .mark = ProgramTag(program)};
      }
    }
    if (lost_) readback.differences.emplace_back("the marks are not attached");
    if (!tampered_.empty()) readback.differences.push_back(tampered_);
    readback.matches = readback.differences.empty() && wanted == held_;
    return readback;
  }

 private:
  struct File {
    std::string sha256;
    int version = 0;
  };
  struct Held {
    int version = 0;
    uint32_t mark = 0;
    friend bool operator==(const Held&, const Held&) = default;
  };

  std::string Problem(const platform::ProgramIdentity& program) const {
    const auto file = files_.find(program.path);
    if (file == files_.end()) return "there is no such file";
    return program.sha256.empty() || program.sha256 == file->second.sha256 ? "" : "it has another SHA-256";
  }

  std::map<std::string, File> files_;
  std::map<std::string, Held> held_;
  std::vector<std::vector<platform::ProgramIdentity>> history_;
  absl::Status apply_error_;
  std::string tampered_;
  bool lost_ = false;
  int versions_ = 0;
};

}  // namespace cordon::testing
