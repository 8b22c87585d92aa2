#include "controller/store/baselines.h"

#include <string>

#include "common/base/status.h"
#include "common/crypto/ecdsa.h"
#include "controller/store/sqlite_store_impl.h"

namespace cordon::controller {
namespace {

std::string RootsOf(const v1::ScanReport& report) {
  std::string roots;
  for (const std::string& root : report.roots()) (roots += root).push_back('\0');
  return roots;
}

void Say(std::string_view text, v1::OrderOutcome* outcome) {
  outcome->set_message(StrCat(outcome->message(), outcome->message().empty() ? "" : "; ", text));
}

absl::StatusOr<bool> IsSigned(Database& database, const v1::OrderOutcome& outcome) {
  CORDON_ASSIGN_OR_RETURN(Statement query,
                          database.Prepare("SELECT certificate FROM hosts WHERE host_id = ?"));
  CORDON_ASSIGN_OR_RETURN(const bool found, query.BindText(1, outcome.host_id()).Step());
  return found && VerifyEcdsa(kScanReportDomain, outcome.progress().report(),
                              outcome.progress().report_signature(), query.Bytes(0));
}

absl::Status Keep(Database& database, const v1::OrderOutcome& outcome, const v1::ScanReport& report) {
  CORDON_ASSIGN_OR_RETURN(Statement insert,
                          database.Prepare("INSERT OR REPLACE INTO baselines VALUES(?, ?, ?, ?, ?)"));
  return insert.BindText(1, outcome.host_id())
      .BindBlob(2, RootsOf(report))
      .BindBlob(3, report.baseline_sha256())
      .BindBlob(4, outcome.progress().report())
      .BindBlob(5, outcome.progress().report_signature())
      .Run();
}

// Whether the baseline that the scan began with is the one that is kept; also when none is.
absl::StatusOr<bool> GoesOn(Database& database, const std::string& host_id, const v1::ScanReport& report) {
  CORDON_ASSIGN_OR_RETURN(Statement query,
                          database.Prepare("SELECT sha256 FROM baselines WHERE host_id = ? AND roots = ?"));
  CORDON_ASSIGN_OR_RETURN(const bool kept, query.BindText(1, host_id).BindBlob(2, RootsOf(report)).Step());
  return !kept || query.Bytes(0) == report.baseline_before_sha256();
}

absl::Status Note(Database& database, int64_t now, std::string_view text, v1::OrderOutcome* outcome) {
  Say(text, outcome);
  return AppendAuditEntry(
      database, now,
      {StrCat("host/", outcome->host_id()), "baseline.changed", outcome->order_id(), std::string(text)});
}

}  // namespace

absl::Status JudgeBaseline(Database& database, int64_t now, v1::OrderOutcome* outcome) {
  v1::ScanReport report;
  if (outcome->state() != v1::OrderOutcome::STATE_DONE || outcome->progress().report().empty() ||
      !report.ParseFromString(outcome->progress().report()) || report.baseline_sha256().empty()) {
    return absl::OkStatus();
  }
  CORDON_ASSIGN_OR_RETURN(const bool is_signed, IsSigned(database, *outcome));
  if (!is_signed || report.host_id() != outcome->host_id()) {
    Say("the report is not signed by the key that the host shows: its baseline is not noted", outcome);
    return absl::OkStatus();
  }
  CORDON_ASSIGN_OR_RETURN(const bool goes_on, GoesOn(database, outcome->host_id(), report));
  const bool made = report.baseline_sha256() != report.baseline_before_sha256();
  if (goes_on) return Keep(database, *outcome, report);
  if (!made) {
    // The one that is kept stays kept, so that every later check says so too, until a new baseline is
    // ordered.
    return Note(
        database, now,
        "BASELINE NOT TRUSTWORTHY: it is not the one that the host signed last; it was edited or set back "
        "to an older one; make a new one (scan integrity --create) when the host is known to be clean",
        outcome);
  }
  CORDON_RETURN_IF_ERROR(Keep(database, *outcome, report));
  return Note(
      database, now,
      report.baseline_before_sha256().empty()
          ? "BASELINE WAS GONE: the one that the host signed last was removed; this one was made anew"
          : "BASELINE WAS CHANGED: the one that this one replaces is not the one that the host signed "
            "last; it was edited or set back to an older one",
      outcome);
}

}  // namespace cordon::controller
