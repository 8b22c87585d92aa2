#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>

#include "common/base/hex.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "controller/cordonctl/audit_check.h"
#include "controller/cordonctl/commands.h"
#include "controller/cordonctl/table.h"
#include "platform/api/files.h"

namespace cordon::ctl {
namespace {

const char* SignatureWord(AuditSignature signature) {
  switch (signature) {
    case AuditSignature::kGood:
      return "good";
    case AuditSignature::kUnpinned:
      return "unpinned";
    case AuditSignature::kNone:
      break;
  }
  return "none";
}

const char* SignatureSentence(AuditSignature signature) {
  switch (signature) {
    case AuditSignature::kGood:
      return "Its end is signed by the log's key.";
    case AuditSignature::kUnpinned:
      return "Its end is signed, by a key of a trust bundle that is not the one your identity pins: what "
             "that is worth "
             "you must know from elsewhere.";
    case AuditSignature::kNone:
      break;
  }
  return "It came without a signed end: a later check that has fewer entries, or another hash at this one, "
         "shows that "
         "the end was cut off.";
}

ExitCode ShowGood(const Tool& tool, const AuditCheck& check) {
  if (tool.Json()) {
    tool.Print({{"ok", true},
                {"entries", check.Entries()},
                {"last_hash", HexEncode(check.LastHash())},
                {"root_sha256", HexEncode(check.Root())},
                {"signature", SignatureWord(check.Signature())}});
  } else {
    tool.Print(StrCat("the audit log is whole: ", check.Entries(),
                      check.Entries() == 1 ? " entry" : " entries", ", last hash ",
                      HexEncode(check.LastHash()), ", root ", HexEncode(check.Root()), "\n",
                      SignatureSentence(check.Signature()), "\n"));
  }
  return ExitCode::kDone;
}

// The copy of a log that is on its way. An earlier export of the same name stays until this one is whole and
// good, for it may be the only one from before somebody changed the log.
class LogCopy {
 public:
  LogCopy() = default;
  LogCopy(const LogCopy&) = delete;
  LogCopy& operator=(const LogCopy&) = delete;
  ~LogCopy() {
    std::error_code ignored;
    file_.close();
    if (beside_ != path_) std::filesystem::remove(beside_, ignored);
  }

  // An empty path: there is none, and what is written goes nowhere.
  absl::Status Open(const std::string& path) {
    if (path.empty()) return absl::OkStatus();
    std::error_code error;
    const bool other = std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error);
    path_ = other ? path : std::filesystem::weakly_canonical(path, error).string();  // not a link to it
    if (path_.empty()) path_ = path;
    beside_ = other ? path : StrCat(path_, ".part");  // a pipe, /dev/stdout: not to be replaced
    if (!other) {
      CORDON_RETURN_IF_ERROR(
          Annotate(platform::WriteFileDurably(beside_, "", platform::FileAccess::kOwnerOnly), "export"));
    }
    file_.open(beside_, std::ios::trunc);
    return file_ ? absl::OkStatus() : absl::FailedPreconditionError(StrCat("cannot write ", beside_));
  }
  bool IsOpen() const { return file_.is_open(); }
  void Write(const std::string& line) {
    if (IsOpen()) file_ << line;
  }
  // All of it has come. What is not `good` takes no earlier one's place, and stands beside it. Returns where
  // it is.
  absl::StatusOr<std::string> Finish(bool good) {
    if (!IsOpen()) return path_;
    file_.close();
    if (!file_) return absl::DataLossError(StrCat("cannot write ", path_, " to its end"));
    if (beside_ == path_) return path_;
    std::error_code error;
    const std::string to =
        good || !std::filesystem::exists(path_, error) ? path_ : StrCat(path_, ".not-good");
    std::filesystem::rename(beside_, to, error);
    if (error) return absl::UnavailableError(StrCat("cannot write ", to, ": ", error.message()));
    beside_ = path_;
    return to;
  }

 private:
  std::string path_;
  std::string beside_;
  std::ofstream file_;
};

absl::StatusOr<ExitCode> VerifyFile(const Tool& tool, const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(StrCat("cannot read ", path));
  // Somebody without an identity may check too; who signed is then not held against anything.
  const v1::OperatorIdentity identity = tool.IdentityAtAnyTime().value_or(v1::OperatorIdentity());
  AuditCheck check(identity.fleet_id(), identity.trust_bundle_sha256());
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const std::string where = StrCat(path, ":", number);
    if (IsAuditEnd(line)) {
      const absl::StatusOr<AuditEnd> end = ParseAuditEnd(line);
      if (!end.ok()) return absl::DataLossError(StrCat(where, ": ", Message(end.status())));
      CORDON_RETURN_IF_ERROR(Annotate(check.End(*end), where));
      continue;
    }
    const absl::StatusOr<v1::AuditEntry> entry = ParseAuditLine(line);
    if (!entry.ok()) return absl::DataLossError(StrCat(where, ": ", Message(entry.status())));
    CORDON_RETURN_IF_ERROR(Annotate(check.Next(*entry), where));
  }
  // An error of the disk ends the lines as the end of the file does.
  if (file.bad()) return absl::DataLossError(StrCat(path, " cannot be read to its end"));
  if (check.Entries() == 0) return absl::DataLossError(StrCat(path, " holds no audit entry"));
  return ShowGood(tool, check);
}

// Checks the controller's log as it arrives, and writes it to `path` unless that is empty.
absl::StatusOr<ExitCode> VerifyOnline(Tool& tool, const std::string& path) {
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  LogCopy copy;
  CORDON_RETURN_IF_ERROR(copy.Open(path));
  // A change of trust may have come since the identity was pinned. Where it does not follow, the log is
  // checked all the same, and its signature is told as that of a bundle that is not pinned.
  const absl::StatusOr<const FollowedTrust*> trust = tool.Trust();
  if (!trust.ok()) tool.Say(StrCat("warning: ", Message(trust.status())));
  AuditCheck check(client->Identity().fleet_id(), client->Identity().trust_bundle_sha256());
  absl::Status broken;
  CORDON_RETURN_IF_ERROR((client->Read<v1::ExportAuditRequest, v1::ExportAuditResponse>(
      &Client::Stub::ExportAudit, v1::ExportAuditRequest(), std::chrono::nanoseconds(0),
      [&](const v1::ExportAuditResponse& message) {  // a broken log is written whole too
        if (message.has_checkpoint()) {
          const AuditEnd end{message.checkpoint(), client->Fleet().trust_bundle().bundle()};
          copy.Write(FormatAuditEnd(end));
          if (broken.ok()) broken = check.End(end);
        } else {
          copy.Write(FormatAuditLine(message.entry()));
          if (broken.ok()) broken = check.Next(message.entry());
        }
        return broken.ok() || copy.IsOpen();
      })));
  // Without its signed end a log can have been cut off anywhere.
  const bool must_be_signed = trust.ok() && !(*trust)->bundle.audit_log_public_key().empty();
  if (broken.ok() && must_be_signed && check.Signature() != AuditSignature::kGood) {
    broken = absl::DataLossError(
        StrCat("the controller shows ", check.Entries(),
               " entries and no end signed by the key that the trust bundle names: what comes "
               "after them may be withheld"));
  }
  CORDON_ASSIGN_OR_RETURN(const std::string written, copy.Finish(broken.ok()));
  if (!broken.ok() && !written.empty())
    tool.Say(StrCat("what the controller showed is in ", written, ", and not good"));
  CORDON_RETURN_IF_ERROR(broken);
  return ShowGood(tool, check);
}

}  // namespace

void AddAudit(CLI::App* app, Command* chosen) {
  CLI::App* const audit = app->add_subcommand("audit", "The log of what operators and agents did");
  audit->require_subcommand(1);
  const auto file = std::make_shared<std::string>();
  const auto copy = std::make_shared<std::string>();
  CLI::App* const verify =
      audit->add_subcommand("verify", "Check the chain: the controller's, or that of FILE");
  CLI::Option* const given =
      verify->add_option("FILE", *file, "An exported log, checked without the controller");
  verify->add_option("--export", *copy, "Also write the controller's log to this file")->excludes(given);
  verify->callback([=] {
    *chosen = [=](Tool& tool) { return file->empty() ? VerifyOnline(tool, *copy) : VerifyFile(tool, *file); };
  });
  CLI::App* const exporting =
      audit->add_subcommand("export", "Write the controller's log to FILE, and check it");
  exporting->add_option("FILE", *copy, "File to write, one JSON object per line")->required();
  exporting->callback([=] { *chosen = [=](Tool& tool) { return VerifyOnline(tool, *copy); }; });
  AddAuditList(audit, chosen);
}

}  // namespace cordon::ctl
