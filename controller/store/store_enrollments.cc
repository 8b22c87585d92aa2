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

// The enrolment, when it can be used now with this token (AUT-1). The token is judged before anything is said
// of the enrolment's state, so that a stranger learns nothing.
absl::StatusOr<v1::Enrollment> UsableEnrollment(Database& database, std::string_view enrollment_id,
                                                std::string_view token, int64_t now) {
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
  CORDON_ASSIGN_OR_RETURN(v1::Enrollment enrollment, EnrollmentFrom(query));
  if (enrollment.revoked()) return refuse("was revoked; ask for a new file");
  if (now >= enrollment.expiry_unix_nanos()) {
    return refuse(StrCat("expired at ", FormatTime(enrollment.expiry_unix_nanos()), "; ask for a new file"));
  }
  if (enrollment.used() >= enrollment.uses()) {
    return refuse(
        StrCat("is used up: all of its ", enrollment.uses(), " uses are taken; ask for a new file"));
  }
  return enrollment;
}

absl::Status InsertHost(Database& database, const HostRecord& host) {
  CORDON_ASSIGN_OR_RETURN(
      Statement insert,
      database.Prepare(
          "INSERT INTO hosts(host_id, name, site, labels, facts, enrollment_id, enrolled, last_seen, serial, "
          "not_before, not_after) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
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

absl::Status SqliteStore::CheckEnrollment(std::string_view enrollment_id, std::string_view token) {
  return Read([&](Database& database) {
    return UsableEnrollment(database, enrollment_id, token, clock_.WallNanos()).status();
  });
}

absl::StatusOr<HostRecord> SqliteStore::EnrollHost(std::string_view enrollment_id, std::string_view token,
                                                   const NewHost& new_host) {
  const int64_t now = clock_.WallNanos();
  HostRecord host;
  CORDON_RETURN_IF_ERROR(Write([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(const v1::Enrollment enrollment,
                            UsableEnrollment(database, enrollment_id, token, now));
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
    CORDON_RETURN_IF_ERROR(InsertHost(database, host));
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
