#pragma once

// What the controller keeps for good. An interface, because a fleet that outgrows one machine's SQLite gets
// PostgreSQL.

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controller/store/records.h"

namespace cordon::controller {

// Thread-safe: any thread may call anything; every call may wait for a disk, so never call from a gRPC
// callback thread. Writers go one after another, readers beside them. When a writing call returns OK, what it
// wrote survives a power cut (TEL-2). One that takes an AuditNote appends it to the audit log in the same
// transaction as the fact. Callbacks run on the caller's thread, without a lock of the store held.
//
// Errors everywhere, beside what a method names: DATA_LOSS the store is damaged (says which file, and how to
// restore); UNAVAILABLE or RESOURCE_EXHAUSTED it cannot be read or written now (disk full). After any error
// nothing of the call was stored.
class Store {
 public:
  virtual ~Store() = default;

  // -- Fleet
  // -------------------------------------------------------------------------------------------------
  // Its trust bundle is the one in force.
  virtual absl::StatusOr<Fleet> GetFleet() = 0;

  // -- Hosts
  // -------------------------------------------------------------------------------------------------
  // NOT_FOUND: no such host.
  virtual absl::StatusOr<HostRecord> GetHost(std::string_view host_id) = 0;

  // The hosts that `target` names (nullptr = all), by host_id; page_size 1 to 1,000. A TargetHost counts when
  // its host_id matches or, without one, its name. INVALID_ARGUMENT: the page token is not one of ours.
  virtual absl::StatusOr<HostPage> ListHosts(const v1::Target* target, uint32_t page_size,
                                             std::string_view page_token) = 0;

  // Heartbeats, kept in memory by the caller and flushed in bulk, in one transaction. Time never goes back;
  // hosts that are not known are passed over.
  virtual absl::Status TouchHosts(std::span<const HostSeen> seen) = 0;

  // In one transaction; hosts that are not known are passed over.
  virtual absl::Status UpdateFacts(std::span<const HostNews> hosts) = 0;

  // Keeps each receipt, whatever its time is: it is what the host says now (ISO-7). One transaction.
  virtual absl::Status RecordReceipts(std::span<const HostReceipt> receipts) = 0;

  // NOT_FOUND; FAILED_PRECONDITION: the host is revoked.
  virtual absl::Status RenewCertificate(std::string_view host_id, const CertificateRecord& certificate,
                                        const AuditNote& note) = 0;

  // The host may do nothing from now on, for good; its open orders are cancelled, and those outcomes
  // returned. Twice is once. NOT_FOUND.
  virtual absl::StatusOr<std::vector<v1::OrderOutcome>> RevokeHost(std::string_view host_id,
                                                                   const AuditNote& note) = 0;

  // -- Enrolments (AUT-1)
  // ------------------------------------------------------------------------------------
  virtual absl::Status CreateEnrollment(const NewEnrollment& enrollment, const AuditNote& note) = 0;
  virtual absl::StatusOr<std::vector<v1::Enrollment>> ListEnrollments() = 0;  // newest first
  // NOT_FOUND. Twice is once.
  virtual absl::Status RevokeEnrollment(std::string_view enrollment_id, const AuditNote& note) = 0;

  // Whether EnrollHost would take this enrolment, token and key now; the same refusals. Counts nothing. The
  // host that the key has enrolled with it already, empty for a new one.
  virtual absl::StatusOr<std::string> CheckEnrollment(std::string_view enrollment_id, std::string_view token,
                                                      std::string_view key_sha256) = 0;

  // Counts one use of the enrolment and makes the host, or does neither; two callers never share a use. The
  // host takes the enrolment's site and labels, and the unexpired orders that name those. PERMISSION_DENIED
  // says whether the enrolment is unknown, its token wrong, revoked, expired or used up.
  //
  // A key that has enrolled with it already, and whose host has never had a session (its answer was lost), is
  // that host again, and takes no further use; where `host` has another id, nothing has changed, and the
  // certificate is to be issued for the id that is returned (AUT-1).
  virtual absl::StatusOr<HostRecord> EnrollHost(std::string_view enrollment_id, std::string_view token,
                                                const NewHost& host) = 0;

  // -- Orders
  // ------------------------------------------------------------------------------------------------
  // Stores an order. Its signatures are counted here, by the trust bundle in force, and for hosts that are
  // lifelines by their number (AUT-3). With enough of them every host that it names gets an outcome: PENDING,
  // or SUPERSEDED when the host has a newer one of the lane; a change of trust is in force from then on. With
  // fewer it is an open proposal, which no host gets. `order` is the decoded signed_order.order. The same
  // order_id with the same bytes is a repeat, which changes nothing. Beside CountSignatures' errors:
  //   PERMISSION_DENIED    no signature of it counts
  //   ALREADY_EXISTS       another order has its id
  //   FAILED_PRECONDITION  a repeat of a proposal that was withdrawn or expired; a change of trust that was
  //                        numbered before the one in force
  virtual absl::StatusOr<SubmittedOrder> SubmitOrder(const v1::SignedOrder& signed_order,
                                                     const v1::Order& order, std::string_view submitted_by,
                                                     const AuditNote& note) = 0;

  // Adds a signature to an open proposal. All of them are counted anew, by the trust bundle in force now;
  // those that count no more are left out. With enough it is COMPLETED and goes the way of SubmitOrder.
  //   NOT_FOUND            no such order
  //   ALREADY_EXISTS       this operator has signed it
  //   PERMISSION_DENIED    the signature does not count
  //   FAILED_PRECONDITION  it is no open proposal, or none any more
  virtual absl::StatusOr<SubmittedOrder> ApproveOrder(std::string_view order_id,
                                                      const v1::Signature& signature,
                                                      const AuditNote& note) = 0;

  // Ends an open proposal. NOT_FOUND; FAILED_PRECONDITION: it is no open proposal, or none any more.
  virtual absl::Status WithdrawOrder(std::string_view order_id, const AuditNote& note) = 0;

  // What this host should be sent, lowest sequence first, but a change of trust before what was released
  // after it: of the lanes isolation and policy the newest order that names it; of trust all, since each is
  // judged by the one before it; of scan all that have not ended. Only unexpired ones, and only those above
  // the lane's sequence in `lanes` (what the host says it has applied, from Hello).
  virtual absl::StatusOr<std::vector<OrderRecord>> OrdersFor(std::string_view host_id,
                                                             std::span<const v1::LaneState> lanes) = 0;

  // Scans that the host was never sent, and would take for old: they were released after a newer one that it
  // has (a late approval, while it was offline). By what the host says it has applied.
  virtual absl::StatusOr<std::vector<std::string>> OvertakenScans(std::string_view host_id,
                                                                  std::span<const v1::LaneState> lanes) = 0;

  // Applies each outcome that its order's present state allows (MayBecome, outcome.h) in one transaction and
  // returns those that changed something. One for an order that was never meant for the host is passed over
  // (AUT-2: host_id comes from the certificate). A receipt in it is recorded too.
  virtual absl::StatusOr<std::vector<v1::OrderOutcome>> RecordOutcomes(
      std::span<const v1::OrderOutcome> outcomes) = 0;

  // Marks what expired before it was delivered, and proposals that nobody completed; returns those outcomes.
  // To be called about every second.
  virtual absl::StatusOr<std::vector<v1::OrderOutcome>> ExpireOrders() = 0;

  // NOT_FOUND.
  virtual absl::StatusOr<OrderRecord> GetOrder(std::string_view order_id) = 0;
  // By host_id; NOT_FOUND when there is no such order.
  virtual absl::StatusOr<std::vector<v1::OrderOutcome>> OutcomesOf(std::string_view order_id) = 0;
  // The same, as much as makes a message of 8 MiB. INVALID_ARGUMENT: the page token is not one of ours.
  virtual absl::StatusOr<OutcomePage> OutcomePageOf(std::string_view order_id,
                                                    std::string_view page_token) = 0;
  // The order as it is listed: with counts per state. NOT_FOUND.
  virtual absl::StatusOr<v1::OrderSummary> SummaryOf(std::string_view order_id) = 0;
  // Newest first, with counts per state; limit 1 to 1,000, fewer where they would make more than 8 MiB: an
  // order can have 4 MiB (AUT-6). INVALID_ARGUMENT: the page token is not one of ours.
  virtual absl::StatusOr<OrderPage> ListOrders(uint32_t limit, std::string_view page_token) = 0;
  virtual absl::StatusOr<uint64_t> NewestOrderSequence() = 0;  // 0 = none

  // -- Trust (AUT-3)
  // -----------------------------------------------------------------------------------------
  // The orders that put each trust bundle above `after_version` in force, oldest first, as many as make a
  // message of a few MiB, and at least one when there is any. The fleet's first bundle, which no order made,
  // stands in an order that has nothing but it and no signatures.
  virtual absl::StatusOr<std::vector<v1::SignedOrder>> TrustHistory(uint64_t after_version) = 0;

  // The bundle that the file of this enrolment pins: the one in force when it was made. A host that enrols
  // with it later follows the changes since. NOT_FOUND.
  virtual absl::StatusOr<v1::SignedTrustBundle> TrustOfEnrollment(std::string_view enrollment_id) = 0;

  // Keeps a record of an operator's certificate that the CA gave out.
  virtual absl::Status RecordOperatorCertificate(std::string_view operator_id,
                                                 const CertificateRecord& certificate,
                                                 const AuditNote& note) = 0;

  // -- Batches and events
  // ------------------------------------------------------------------------------------ Group commit: one
  // transaction for batches of many hosts, those of one host in their order. A batch of a chain that was
  // begun anew whose events are stored in an older one is kept as a header without them: the chain is whole,
  // and no event is there twice (TEL-2). Gather what arrives while the last call runs, and give it to the
  // next. Order outcomes and receipts in CONTROL batches are applied in the same transaction, receipts by
  // their time: only newer ones, and none that is dated ahead of this clock. An error means that nothing is
  // stored and nothing may be acknowledged (TEL-2).
  virtual absl::StatusOr<CommitResult> CommitBatches(std::span<const HostBatch> batches) = 0;

  // Where the host's Telemetry stream goes on. Empty for a host that has sent nothing.
  virtual absl::StatusOr<ChainPosition> PositionOf(std::string_view host_id) = 0;

  // Called per event; false ends the query (which then returns OK).
  using EventCallback = std::function<bool(v1::QueryEventsResponse&& event)>;

  // Stored events of batches committed up to `position`, oldest first (among more than 200,000 events or 64
  // MiB that overlap in time the order is approximate). A batch that the spool dropped shows as a Gap.
  // RESOURCE_EXHAUSTED: the newest query.limit events are more than 64 MiB.
  virtual absl::Status QueryEvents(const EventQuery& query, int64_t position,
                                   const EventCallback& callback) = 0;

  // The position of the newest committed batch; rises with every commit. 0 = none.
  virtual absl::StatusOr<int64_t> NewestPosition() = 0;

  // For follow: events of batches committed after `position`, in order of commit; query.limit is not used.
  // Returns the position to go on from. History up to NewestPosition() and then this from it: nothing twice,
  // nothing missed.
  virtual absl::StatusOr<int64_t> EventsAfter(int64_t position, const EventQuery& query,
                                              const EventCallback& callback) = 0;

  // Takes out the events of batches that were committed more than `keep_nanos` ago by this clock, whatever
  // their hosts' clocks said, up to `up_to_position`: some of them, in one small transaction. True: there are
  // more. Headers stay, so that chains are whole and repeats are dropped (TEL-2, TEL-3); so do gaps, and
  // events of class CONTROL: what became of orders and levels. To be called about every hour; time counts
  // from the first call on.
  virtual absl::StatusOr<bool> AgeOutEvents(int64_t keep_nanos, int64_t up_to_position) = 0;

  // -- Audit
  // ------------------------------------------------------------------------------------------------- For
  // what has no other fact in the store.
  virtual absl::Status AppendAudit(const AuditNote& note) = 0;
  // From `from_index` (1 = the first), oldest first; false ends it.
  virtual absl::Status ReadAudit(uint64_t from_index,
                                 const std::function<bool(v1::AuditEntry&& entry)>& callback) = 0;

  // Newest first, as many as make 8 MiB, looking at no more than 10,000 entries: the page may be short, or
  // empty, and others follow it all the same. INVALID_ARGUMENT: the page token is not one of ours.
  virtual absl::StatusOr<AuditPage> ListAudit(const AuditQuery& query) = 0;

  // The log's Merkle tree (RFC 9162, over AuditEntry.hash), kept in the transaction of each entry; read in
  // O(log n).
  virtual absl::StatusOr<AuditHead> GetAuditHead() = 0;
  // The root that the log had at `size`; OUT_OF_RANGE when it has not so many entries.
  virtual absl::StatusOr<std::string> AuditRoot(uint64_t size) = 0;
  // That the log at `size` goes on from the log at `first`. OUT_OF_RANGE: first > size, or the log is
  // shorter.
  virtual absl::StatusOr<std::vector<std::string>> AuditConsistency(uint64_t first, uint64_t size) = 0;
};

}  // namespace cordon::controller
