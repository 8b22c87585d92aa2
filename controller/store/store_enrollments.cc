#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "controller/store/sqlite_store_impl.h"

namespace cordon::controller {
namespace {

constexpr size_t kTokenBytes = 32;

absl::StatusOr<v1::Enrollment> EnrollmentFrom(const Statement& row) {
  v1::Enrollment enrollment;
  enrollment.set_enrollment_id(std::string(row.Bytes(0)));
  enrollment.set_site(std::string(row.Bytes(1)));
  CORDON_ASSIGN_OR_RETURN(const std::vector<v1::Label> labels, UnpackLabels(row.Bytes(2)));
  enrollment.mutable_labels()->Assign(labels.begin(), labels.end());
  enrollment.set_uses(static_cast<uint32_t>(row.Int(3)));
  enrollment.set_used(static_cast<uint32_t>(row.Int(4)));
  enrollment.set_expiry_unix_nanos(row.Int(5));
  enrollment.set_created_unix_nanos(row.Int(6));
  enrollment.set_created_by(std::string(row.Bytes(7)));
  enrollment.set_revoked(row.Int(8) != 0);
  return enrollment;
}

constexpr std::string_view kSelect =
    "SELECT enrollment_id, site, labels, uses, used, expiry, created, created_by, revoked, token_sha256 "
    "FROM enrollments ";

// An enrolment that can be used now.
struct Usable {
  v1::Enrollment enrollment;
  std::string host_id;  // whom the key has enrolled with it already; empty: it would take a use
};

// Each time costs a signature and an entry in the audit log (AUT-6).
constexpr int64_t kMostAgain = 16;

// Whom this key has enrolled with it; empty for nobody. Nobody else learns of it, or gains by it: the caller
// has the enrolment's token and has proven to have the key, and with the key it is that host already (AUT-1).
absl::StatusOr<std::string> HostOfKey(Database& database, std::string_view enrollment_id,
                                      std::string_view key_sha256) {
  if (key_sha256.empty()) return std::string();
  CORDON_ASSIGN_OR_RETURN(
      Statement query,
      database.Prepare("SELECT host_id, revoked, certificate IS NOT NULL, enrolled_again FROM hosts "
                       "WHERE enrollment_id = ? AND enrolled_key = ?"));
  CORDON_ASSIGN_OR_RETURN(const bool found, query.BindText(1, enrollment_id).BindBlob(2, key_sha256).Step());
  if (!found) return std::string();
  std::string host_id(query.Bytes(0));
  const auto refuse = [&](std::string_view why) {
    return absl::PermissionDeniedError(
        StrCat("this key is that of host ", host_id, ", which ", why, "; enrol with a new key"));
  };
  if (query.Int(1) != 0) return refuse("is revoked");
  if (query.Int(2) != 0) return refuse("has its certificate");
  if (query.Int(3) >= kMostAgain) return refuse("has asked for it too often");
  return host_id;
}

// The enrolment, when it can be used now with this token and key (AUT-1). The token is judged before anything
// is said of the enrolment's state, so that a stranger learns nothing.
absl::StatusOr<Usable> UsableEnrollment(Database& database, std::string_view enrollment_id,
                                        std::string_view token, std::string_view key_sha256, int64_t now) {
  const auto refuse = [&](std::string_view why) {
    return absl::PermissionDeniedError(
        StrCat("enrolment ", Printable(enrollment_id.substr(0, 64)), " ", why));
  };
  CORDON_ASSIGN_OR_RETURN(Statement query, database.Prepare(StrCat(kSelect, "WHERE enrollment_id = ?")));
  CORDON_ASSIGN_OR_RETURN(const bool found, query.BindText(1, enrollment_id).Step());
  if (!found) return refuse("is unknown");
  if (token.size() != kTokenBytes || !ConstantTimeEquals(Sha256(token), query.Bytes(9))) {
    return refuse("was asked for with a wrong token");
  }
  Usable usable;
  CORDON_ASSIGN_OR_RETURN(usable.enrollment, EnrollmentFrom(query));
  const v1::Enrollment& enrollment = usable.enrollment;
  if (enrollment.revoked()) return refuse("was revoked; ask for a new file");
  if (now >= enrollment.expiry_unix_nanos()) {
    return refuse(StrCat("expired at ", FormatTime(enrollment.expiry_unix_nanos()), "; ask for a new file"));
  }
  CORDON_ASSIGN_OR_RETURN(usable.host_id, HostOfKey(database, enrollment_id, key_sha256));
  if (usable.host_id.empty() && enrollment.used() >= enrollment.uses()) {
    return refuse(
        StrCat("is used up: all of its ", enrollment.uses(), " uses are taken; ask for a new file"));
  }
  return usable;
}

// The same key once more: another certificate, and nothing else.
absl::StatusOr<HostRecord> EnrollAgain(Database& database, const std::string& host_id, const NewHost& asked,
                                       int64_t now) {
  if (asked.host_id == host_id) {
    CORDON_ASSIGN_OR_RETURN(Statement update,
                            database.Prepare("UPDATE hosts SET serial = ?, not_before = ?, not_after = ?, "
                                             "enrolled_again = enrolled_again + 1 WHERE host_id = ?"));
    CORDON_RETURN_IF_ERROR(update.BindText(1, asked.certificate.serial_hex)
                               .Bind(2, asked.certificate.not_before_unix_nanos)
                               .Bind(3, asked.certificate.not_after_unix_nanos)
                               .BindText(4, host_id)
                               .Run());
    CORDON_RETURN_IF_ERROR(RecordCertificate(database, StrCat("host/", host_id), asked.certificate));
    CORDON_RETURN_IF_ERROR(AppendAuditEntry(
        database, now,
        {StrCat("host/", host_id), "host.enroll_again", StrCat("host/", host_id),
         StrCat("the same key, whose answer was lost: serial ", asked.certificate.serial_hex)}));
  }
  return FindHost(database, host_id);
}

absl::Status InsertHost(Database& database, const HostRecord& host, std::string_view key_sha256) {
  CORDON_ASSIGN_OR_RETURN(
      Statement insert,
      database.Prepare(
          "INSERT INTO hosts(host_id, name, site, labels, facts, enrollment_id, enrolled, last_seen, serial, "
          "not_before, not_after, enrolled_key) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  key_sha256.empty() ? insert.BindNull(12) : insert.BindBlob(12, key_sha256);
  return insert.BindText(1, host.host_id)
      .BindText(2, host.facts.host_name())
      .BindText(3, host.site)
      .BindBlob(4, PackLabels(host.labels))
      .BindBlob(5, host.facts.SerializeAsString())
      .BindText(6, host.enrollment_id)
      .Bind(7, host.enrolled_unix_nanos)
      .Bind(8, host.last_seen_unix_nanos)
      .BindText(9, host.certificate.serial_hex)
      .Bind(10, host.certificate.not_before_unix_nanos)
      .Bind(11, host.certificate.not_after_unix_nanos)
      .Run();
}

}  // namespace

absl::Status SqliteStore::CreateEnrollment(const NewEnrollment& enrollment, const AuditNote& note) {
  if (enrollment.token.size() != kTokenBytes) return absl::InvalidArgumentError("the token is not 32 bytes");
  if (enrollment.uses == 0) return absl::InvalidArgumentError("an enrolment needs at least one use");
  const int64_t now = clock_.WallNanos();
  return Write([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(
        Statement insert,
        database.Prepare(
            "INSERT INTO enrollments(enrollment_id, site, labels, uses, expiry, created, created_by, "
            "token_sha256, trust_version) VALUES(?, ?, ?, ?, ?, ?, ?, ?, "
            "(SELECT max(version) FROM trust_history))"));
    insert.BindText(1, enrollment.enrollment_id)
        .BindText(2, enrollment.site)
        .BindBlob(3, PackLabels(enrollment.labels))
        .Bind(4, enrollment.uses)
        .Bind(5, enrollment.expiry_unix_nanos)
        .Bind(6, now)
        .BindText(7, note.actor)
        .BindBlob(8, Sha256(enrollment.token));
    CORDON_RETURN_IF_ERROR(insert.Run());
    CORDON_RETURN_IF_ERROR(
        RecordCertificate(database, StrCat("bootstrap/", enrollment.enrollment_id), enrollment.certificate));
    return AppendAuditEntry(database, now, note);
  });
}

absl::StatusOr<std::vector<v1::Enrollment>> SqliteStore::ListEnrollments() {
  std::vector<v1::Enrollment> enrollments;
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(Statement query,
                            database.Prepare(StrCat(kSelect, "ORDER BY created DESC, enrollment_id")));
    while (true) {
      CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
      if (!row) return absl::OkStatus();
      CORDON_ASSIGN_OR_RETURN(enrollments.emplace_back(), EnrollmentFrom(query));
    }
  }));
  return enrollments;
}

absl::Status SqliteStore::RevokeEnrollment(std::string_view enrollment_id, const AuditNote& note) {
  return Write([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(Statement update,
                            database.Prepare("UPDATE enrollments SET revoked = 1 WHERE enrollment_id = ?"));
    CORDON_RETURN_IF_ERROR(update.BindText(1, enrollment_id).Run());
    if (database.Changes() == 0) {
      return absl::NotFoundError(StrCat("there is no enrolment ", Printable(enrollment_id.substr(0, 64))));
    }
    return AppendAuditEntry(database, clock_.WallNanos(), note);
  });
}

absl::StatusOr<std::string> SqliteStore::CheckEnrollment(std::string_view enrollment_id,
                                                         std::string_view token,
                                                         std::string_view key_sha256) {
  Usable usable;
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(usable,
                            UsableEnrollment(database, enrollment_id, token, key_sha256, clock_.WallNanos()));
    return absl::OkStatus();
  }));
  return usable.host_id;
}

absl::StatusOr<HostRecord> SqliteStore::EnrollHost(std::string_view enrollment_id, std::string_view token,
                                                   const NewHost& new_host) {
  const int64_t now = clock_.WallNanos();
  HostRecord host;
  CORDON_RETURN_IF_ERROR(Write([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(const Usable usable,
                            UsableEnrollment(database, enrollment_id, token, new_host.key_sha256, now));
    if (!usable.host_id.empty()) {
      CORDON_ASSIGN_OR_RETURN(host, EnrollAgain(database, usable.host_id, new_host, now));
      return absl::OkStatus();
    }
    const v1::Enrollment& enrollment = usable.enrollment;
    CORDON_ASSIGN_OR_RETURN(
        Statement use, database.Prepare("UPDATE enrollments SET used = used + 1 WHERE enrollment_id = ?"));
    CORDON_RETURN_IF_ERROR(use.BindText(1, enrollment_id).Run());
    host.host_id = new_host.host_id;
    host.facts = new_host.facts;
    host.site = enrollment.site();
    host.labels.assign(enrollment.labels().begin(), enrollment.labels().end());
    host.enrollment_id = enrollment_id;
    host.enrolled_unix_nanos = now;
    host.last_seen_unix_nanos = now;
    host.certificate = new_host.certificate;
    CORDON_RETURN_IF_ERROR(InsertHost(database, host, new_host.key_sha256));
    CORDON_RETURN_IF_ERROR(RecordCertificate(database, StrCat("host/", host.host_id), host.certificate));
    CORDON_RETURN_IF_ERROR(AdoptOrders(database, now, host));
    return AppendAuditEntry(
        database, now,
        {StrCat("bootstrap/", enrollment_id), "host.enroll", StrCat("host/", host.host_id),
         StrCat("name ", Printable(host.facts.host_name()), ", site ", host.site, ", use ",
                enrollment.used() + 1, " of ", enrollment.uses())});
  }));
  return host;
}

}  // namespace cordon::controller
