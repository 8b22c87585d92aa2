#include <algorithm>

#include "common/base/status.h"
#include "common/base/uuid.h"
#include "controller/store/host_notice.h"
#include "controller/store/sqlite_store_impl.h"
#include "controller/store/target_matcher.h"

namespace cordon::controller {
namespace {

constexpr uint32_t kMaxPage = 1'000;
constexpr int64_t kClockSlackNanos = 300 * kNanosPerSecond;  // what hosts' clocks may be ahead

// Cheap columns first: a host that is not meant is passed over without decoding the rest.
constexpr std::string_view kSelectHost =
    "SELECT h.host_id, h.name, h.site, h.labels, h.facts, h.enrollment_id, h.enrolled, h.last_seen, "
    "h.receipt, h.revoked, "
    "h.serial, h.not_before, h.not_after, c.acknowledged_sequence, h.certificate, "
    // Of the newest isolation order that the host has said something of: its id when that was that it goes
    // dark.
    "(SELECT CASE o.state WHEN 10 THEN o.order_id END FROM outcomes o WHERE o.host_id = h.host_id "
    "AND o.lane = 'isolation' AND o.state NOT IN (1, 2, 7, 8, 9) ORDER BY o.sequence DESC LIMIT 1) "
    "FROM hosts h LEFT JOIN chains c ON c.host_id = h.host_id AND c.current = 1 ";

absl::StatusOr<HostRecord> HostFrom(const Statement& row) {
  HostRecord host;
  host.host_id = row.Bytes(0);
  host.site = row.Bytes(2);
  CORDON_ASSIGN_OR_RETURN(host.labels, UnpackLabels(row.Bytes(3)));
  CORDON_RETURN_IF_ERROR(ParseStored(row.Bytes(4), &host.facts));
  host.enrollment_id = row.Bytes(5);
  host.enrolled_unix_nanos = row.Int(6);
  host.last_seen_unix_nanos = row.Int(7);
  CORDON_RETURN_IF_ERROR(ParseStored(row.Bytes(8), &host.receipt));
  host.revoked = row.Int(9) != 0;
  host.certificate = {std::string(row.Bytes(10)), row.Int(11), row.Int(12)};
  host.acknowledged_sequence = row.Unsigned(13);
  host.certificate_pem = row.Bytes(14);
  host.going_dark_order_id = row.Bytes(15);
  return host;
}

absl::Status NoSuchHost(std::string_view host_id) {
  return absl::NotFoundError(StrCat("there is no host ", host_id));
}

// Of each host the newest entry of each kind of notice, newest first.
absl::Status AddNotices(Database& database, std::span<HostRecord> hosts) {
  CORDON_ASSIGN_OR_RETURN(
      Statement query,
      database.Prepare("SELECT action, time, detail, entry_index FROM audit WHERE entry_index IN "
                       "(SELECT max(entry_index) FROM audit WHERE subject = ? AND action IN (?, ?, ?) "
                       "GROUP BY action) ORDER BY entry_index DESC"));
  static_assert(kHostNotices.size() == 3);
  for (HostRecord& host : hosts) {
    query.BindText(1, host.host_id);
    for (int i = 0; i < 3; ++i) query.BindText(2 + i, kHostNotices.at(static_cast<size_t>(i)));
    while (true) {
      CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
      if (!row) break;
      v1::HostNotice& notice = host.notices.emplace_back();
      notice.set_kind(std::string(query.Bytes(0)));
      notice.set_time_unix_nanos(query.Int(1));
      notice.set_text(std::string(query.Bytes(2)));
      notice.set_audit_index(query.Unsigned(3));
    }
    query.Reset();
  }
  return absl::OkStatus();
}

// Runs an UPDATE of one host; NOT_FOUND when it changed none.
absl::Status UpdateOne(Database& database, Statement& update, std::string_view host_id) {
  CORDON_RETURN_IF_ERROR(update.Run());
  return database.Changes() == 0 ? NoSuchHost(host_id) : absl::OkStatus();
}

absl::Status CancelOpenOrders(Database& database, std::string_view host_id, int64_t now,
                              std::vector<v1::OrderOutcome>* changed) {
  std::vector<v1::OrderOutcome> open;
  {
    CORDON_ASSIGN_OR_RETURN(
        Statement query,
        database.Prepare("SELECT order_id FROM outcomes WHERE host_id = ? AND state IN (1, 2, 3, 10)"));
    query.BindText(1, host_id);
    while (true) {
      CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
      if (!row) break;
      v1::OrderOutcome& outcome = open.emplace_back();
      outcome.set_order_id(std::string(query.Bytes(0)));
      outcome.set_host_id(std::string(host_id));
      outcome.set_state(v1::OrderOutcome::STATE_CANCELLED);
      outcome.set_message("the host was revoked");
      outcome.set_time_unix_nanos(now);
    }
  }
  for (const v1::OrderOutcome& outcome : open)
    CORDON_RETURN_IF_ERROR(ApplyOutcome(database, now, outcome, changed));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<HostRecord> FindHost(Database& database, std::string_view host_id) {
  CORDON_ASSIGN_OR_RETURN(Statement query, database.Prepare(StrCat(kSelectHost, "WHERE h.host_id = ?")));
  CORDON_ASSIGN_OR_RETURN(const bool found, query.BindText(1, host_id).Step());
  if (!found) return NoSuchHost(host_id);
  return HostFrom(query);
}

absl::StatusOr<HostRecord> SqliteStore::GetHost(std::string_view host_id) {
  HostRecord host;
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(host, FindHost(database, host_id));
    return absl::OkStatus();
  }));
  return host;
}

absl::StatusOr<HostPage> SqliteStore::ListHosts(const v1::Target* target, uint32_t page_size,
                                                std::string_view page_token) {
  if (page_size == 0 || page_size > kMaxPage) {
    return absl::InvalidArgumentError(
        StrCat("page_size is ", page_size, "; 1 to ", kMaxPage, " are allowed"));
  }
  if (!page_token.empty() && !IsUuid(page_token))
    return absl::InvalidArgumentError("page_token is not one of ours");
  v1::Target everybody;
  everybody.set_all(true);
  const TargetMatcher matcher(target != nullptr ? *target : everybody);
  HostPage page;
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(Statement query,
                            database.Prepare(StrCat(kSelectHost, "WHERE h.host_id > ? ORDER BY h.host_id")));
    query.BindText(1, page_token);
    while (true) {
      CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
      if (!row) return AddNotices(database, page.hosts);
      CORDON_ASSIGN_OR_RETURN(const std::vector<v1::Label> labels, UnpackLabels(query.Bytes(3)));
      if (!matcher.Matches(query.Bytes(0), query.Bytes(1), query.Bytes(2), labels)) continue;
      if (page.hosts.size() == page_size) {
        page.next_page_token = page.hosts.back().host_id;
        return AddNotices(database, page.hosts);
      }
      CORDON_ASSIGN_OR_RETURN(page.hosts.emplace_back(), HostFrom(query));
    }
  }));
  return page;
}

absl::Status SqliteStore::TouchHosts(std::span<const HostSeen> seen) {
  if (seen.empty()) return absl::OkStatus();
  return Write([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(Statement update, database.Prepare("UPDATE hosts SET last_seen = ?1 "
                                                               "WHERE host_id = ?2 AND last_seen < ?1"));
    for (const HostSeen& host : seen) {
      CORDON_RETURN_IF_ERROR(update.Bind(1, host.last_seen_unix_nanos).BindText(2, host.host_id).Run());
    }
    return absl::OkStatus();
  });
}

absl::Status SqliteStore::UpdateFacts(std::span<const HostNews> hosts) {
  return Write([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(
        Statement update,
        database.Prepare("UPDATE hosts SET name = ?, facts = ?, certificate = ? WHERE host_id = ?"));
    for (const HostNews& host : hosts) {
      CORDON_RETURN_IF_ERROR(update.BindText(1, host.facts.host_name())
                                 .BindBlob(2, host.facts.SerializeAsString())
                                 .BindBlob(3, host.certificate_pem)
                                 .BindText(4, host.host_id)
                                 .Run());
    }
    return absl::OkStatus();
  });
}

absl::Status RecordReceipt(Database& database, std::string_view host_id, const v1::Receipt& receipt) {
  if (receipt.read_back_time_unix_nanos() == 0) return absl::OkStatus();  // says nothing of any moment
  CORDON_ASSIGN_OR_RETURN(
      Statement update, database.Prepare("UPDATE hosts SET receipt = ?, receipt_time = ? WHERE host_id = ?"));
  return update.BindBlob(1, receipt.SerializeAsString())
      .Bind(2, receipt.read_back_time_unix_nanos())
      .BindText(3, host_id)
      .Run();
}

absl::Status RecordSpooledReceipt(Database& database, int64_t now, std::string_view host_id,
                                  const v1::Receipt& receipt) {
  if (receipt.read_back_time_unix_nanos() > now + kClockSlackNanos) return absl::OkStatus();
  {
    CORDON_ASSIGN_OR_RETURN(Statement query,
                            database.Prepare("SELECT 1 FROM hosts WHERE host_id = ? AND receipt_time < ?"));
    CORDON_ASSIGN_OR_RETURN(const bool newer,
                            query.BindText(1, host_id).Bind(2, receipt.read_back_time_unix_nanos()).Step());
    if (!newer) return absl::OkStatus();
  }
  return RecordReceipt(database, host_id, receipt);
}

absl::Status SqliteStore::RecordReceipts(std::span<const HostReceipt> receipts) {
  if (receipts.empty()) return absl::OkStatus();
  return Write([&](Database& database) -> absl::Status {
    for (const HostReceipt& host : receipts) {
      CORDON_RETURN_IF_ERROR(RecordReceipt(database, host.host_id, host.receipt));
    }
    return absl::OkStatus();
  });
}

absl::Status SqliteStore::RenewCertificate(std::string_view host_id, const CertificateRecord& certificate,
                                           const AuditNote& note) {
  return Write([&](Database& database) -> absl::Status {
    {
      CORDON_ASSIGN_OR_RETURN(Statement query,
                              database.Prepare("SELECT revoked FROM hosts WHERE host_id = ?"));
      CORDON_ASSIGN_OR_RETURN(const bool found, query.BindText(1, host_id).Step());
      if (!found) return NoSuchHost(host_id);
      if (query.Int(0) != 0) return absl::FailedPreconditionError(StrCat("host ", host_id, " is revoked"));
    }
    CORDON_ASSIGN_OR_RETURN(
        Statement update,
        database.Prepare("UPDATE hosts SET serial = ?, not_before = ?, not_after = ? WHERE host_id = ?"));
    update.BindText(1, certificate.serial_hex)
        .Bind(2, certificate.not_before_unix_nanos)
        .Bind(3, certificate.not_after_unix_nanos)
        .BindText(4, host_id);
    CORDON_RETURN_IF_ERROR(UpdateOne(database, update, host_id));
    CORDON_RETURN_IF_ERROR(RecordCertificate(database, StrCat("host/", host_id), certificate));
    return AppendAuditEntry(database, clock_.WallNanos(), note);
  });
}

absl::StatusOr<std::vector<v1::OrderOutcome>> SqliteStore::RevokeHost(std::string_view host_id,
                                                                      const AuditNote& note) {
  const int64_t now = clock_.WallNanos();
  std::vector<v1::OrderOutcome> cancelled;
  CORDON_RETURN_IF_ERROR(Write([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(Statement update,
                            database.Prepare("UPDATE hosts SET revoked = 1 WHERE host_id = ?"));
    update.BindText(1, host_id);
    CORDON_RETURN_IF_ERROR(UpdateOne(database, update, host_id));
    CORDON_RETURN_IF_ERROR(CancelOpenOrders(database, host_id, now, &cancelled));
    CORDON_RETURN_IF_ERROR(AppendAuditEntry(database, now, note));
    return AppendOutcomeEntries(database, now, cancelled, SaidBy::kController);
  }));
  return cancelled;
}

}  // namespace cordon::controller
