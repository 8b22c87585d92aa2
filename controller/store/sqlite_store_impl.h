#pragma once

// The store on SQLite. Private to this folder; its methods stand by subject in store_hosts.cc,
// store_orders.cc, …

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/sqlite/database.h"
#include "controller/store/reader_pool.h"
#include "controller/store/store.h"
#include "platform/api/files.h"

namespace cordon::controller {

class SqliteStore final : public Store {
 public:
  SqliteStore(std::string path, std::unique_ptr<platform::FileLock> lock, Database writer,
              std::unique_ptr<ReaderPool> readers, std::unique_ptr<ReaderPool> long_readers,
              const Clock& clock)
      : path_(std::move(path)),
        lock_(std::move(lock)),
        clock_(clock),
        readers_(std::move(readers)),
        long_readers_(std::move(long_readers)),
        writer_(std::move(writer)) {}

  absl::StatusOr<Fleet> GetFleet() override;

  absl::StatusOr<HostRecord> GetHost(std::string_view host_id) override;
  absl::StatusOr<HostPage> ListHosts(const v1::Target* target, uint32_t page_size,
                                     std::string_view page_token) override;
  absl::Status TouchHosts(std::span<const HostSeen> seen) override;
  absl::Status UpdateFacts(std::span<const HostNews> hosts) override;
  absl::Status RecordReceipts(std::span<const HostReceipt> receipts) override;
  absl::Status RenewCertificate(std::string_view host_id, const CertificateRecord& certificate,
                                const AuditNote& note) override;
  absl::StatusOr<std::vector<v1::OrderOutcome>> RevokeHost(std::string_view host_id,
                                                           const AuditNote& note) override;

  absl::Status CreateEnrollment(const NewEnrollment& enrollment, const AuditNote& note) override;
  absl::StatusOr<std::vector<v1::Enrollment>> ListEnrollments() override;
  absl::Status RevokeEnrollment(std::string_view enrollment_id, const AuditNote& note) override;
  absl::StatusOr<std::string> CheckEnrollment(std::string_view enrollment_id, std::string_view token,
                                              std::string_view key_sha256) override;
  absl::StatusOr<HostRecord> EnrollHost(std::string_view enrollment_id, std::string_view token,
                                        const NewHost& host) override;

  absl::StatusOr<SubmittedOrder> SubmitOrder(const v1::SignedOrder& signed_order, const v1::Order& order,
                                             std::string_view submitted_by, const AuditNote& note) override;
  absl::StatusOr<SubmittedOrder> ApproveOrder(std::string_view order_id, const v1::Signature& signature,
                                              const AuditNote& note) override;
  absl::Status WithdrawOrder(std::string_view order_id, const AuditNote& note) override;
  absl::StatusOr<std::vector<OrderRecord>> OrdersFor(std::string_view host_id,
                                                     std::span<const v1::LaneState> lanes) override;
  absl::StatusOr<std::vector<std::string>> OvertakenScans(std::string_view host_id,
                                                          std::span<const v1::LaneState> lanes) override;
  absl::StatusOr<std::vector<v1::OrderOutcome>> RecordOutcomes(
      std::span<const v1::OrderOutcome> outcomes) override;
  absl::StatusOr<std::vector<v1::OrderOutcome>> ExpireOrders() override;
  absl::StatusOr<OrderRecord> GetOrder(std::string_view order_id) override;
  absl::StatusOr<std::vector<v1::OrderOutcome>> OutcomesOf(std::string_view order_id) override;
  absl::StatusOr<OutcomePage> OutcomePageOf(std::string_view order_id, std::string_view page_token) override;
  absl::StatusOr<v1::OrderSummary> SummaryOf(std::string_view order_id) override;
  absl::StatusOr<OrderPage> ListOrders(uint32_t limit, std::string_view page_token) override;
  absl::StatusOr<uint64_t> NewestOrderSequence() override;

  absl::StatusOr<std::vector<v1::SignedOrder>> TrustHistory(uint64_t after_version) override;
  absl::StatusOr<v1::SignedTrustBundle> TrustOfEnrollment(std::string_view enrollment_id) override;
  absl::Status RecordOperatorCertificate(std::string_view operator_id, const CertificateRecord& certificate,
                                         const AuditNote& note) override;

  absl::StatusOr<CommitResult> CommitBatches(std::span<const HostBatch> batches) override;
  absl::StatusOr<ChainPosition> PositionOf(std::string_view host_id) override;
  absl::Status QueryEvents(const EventQuery& query, int64_t position, const EventCallback& callback) override;
  absl::StatusOr<int64_t> NewestPosition() override;
  absl::StatusOr<int64_t> EventsAfter(int64_t position, const EventQuery& query,
                                      const EventCallback& callback) override;

  absl::StatusOr<bool> AgeOutEvents(int64_t keep_nanos, int64_t up_to_position) override;

  absl::Status AppendAudit(const AuditNote& note) override;
  absl::Status ReadAudit(uint64_t from_index,
                         const std::function<bool(v1::AuditEntry&& entry)>& callback) override;
  absl::StatusOr<AuditPage> ListAudit(const AuditQuery& query) override;
  absl::StatusOr<AuditHead> GetAuditHead() override;
  absl::StatusOr<std::string> AuditRoot(uint64_t size) override;
  absl::StatusOr<std::vector<std::string>> AuditConsistency(uint64_t first, uint64_t size) override;

 private:
  // Runs `body` in one transaction of the writer.
  absl::Status Write(const std::function<absl::Status(Database&)>& body);
  // Runs `body` on a reader.
  absl::Status Read(const std::function<absl::Status(Database&)>& body);
  // The same on a reader of those that look through events: they wait for each other, and what hosts and the
  // server's own clockwork ask does not wait for them.
  absl::Status ReadLong(const std::function<absl::Status(Database&)>& body);
  // Adds to a DATA_LOSS which file it is and what to do.
  absl::Status Explain(absl::Status status) const;

  const std::string path_;
  const std::unique_ptr<platform::FileLock> lock_;  // no second controller on this store
  const Clock& clock_;
  const std::unique_ptr<ReaderPool> readers_;
  const std::unique_ptr<ReaderPool> long_readers_;
  std::mutex writer_mutex_;
  Database writer_;  // guarded by writer_mutex_
  // Both clocks when events were aged out last, which tell whether the wall clock was set since.
  struct AgeLook {
    int64_t wall = 0;
    int64_t boot = 0;
  };
  std::optional<AgeLook> age_look_;  // guarded by writer_mutex_
};

// Pieces of transactions that several subjects need. `database` is the writer, inside a transaction.

// Appends to the audit log and to its tree.
absl::Status AppendAuditEntry(Database& database, int64_t now, const AuditNote& note);
// Whose word an outcome is, for the audit log. DELIVERED is always the controller's.
enum class SaidBy { kController, kHost };
// Appends what became of orders: deliveries, refusals and every other end, not what is only under way. One
// entry for the hosts of an order that came to the same state with the same message.
absl::Status AppendOutcomeEntries(Database& database, int64_t now, std::span<const v1::OrderOutcome> changed,
                                  SaidBy said_by);
// Adds the entries that the tree lacks: those of a store that was made before there was one. DATA_LOSS: the
// tree knows of entries that the log has not.
absl::Status CompleteAuditTree(Database& database);
// NOT_FOUND.
absl::StatusOr<HostRecord> FindHost(Database& database, std::string_view host_id);
// Keeps a record of a certificate given out.
absl::Status RecordCertificate(Database& database, std::string_view identity,
                               const CertificateRecord& certificate);
// Keeps a receipt that the host says now: in place of any other, since the host's clock may have been set
// back since (ISO-7).
absl::Status RecordReceipt(Database& database, std::string_view host_id, const v1::Receipt& receipt);
// Keeps a receipt that was spooled some time ago, unless a newer one is there, or it is dated after
// `now` by more than clocks differ: it would hide every later one.
absl::Status RecordSpooledReceipt(Database& database, int64_t now, std::string_view host_id,
                                  const v1::Receipt& receipt);
// Applies an outcome where MayBecome allows; appends it to `changed` when it did.
absl::Status ApplyOutcome(Database& database, int64_t now, const v1::OrderOutcome& outcome,
                          std::vector<v1::OrderOutcome>* changed);
// Ends the proposals that expired, with an entry each.
absl::Status ExpireProposals(Database& database, int64_t now);
// The trust bundle in force.
absl::StatusOr<v1::TrustBundle> TrustInForce(Database& database);
// Writes the fleet's bundle as the first of the trust history, unless there is a history.
absl::Status BeginTrustHistory(Database& database);
// Gives a host that has just been enrolled the unexpired orders that name its site, its labels or everybody.
absl::Status AdoptOrders(Database& database, int64_t now, const HostRecord& host);

// Labels as they stand in a column.
std::string PackLabels(std::span<const v1::Label> labels);
absl::StatusOr<std::vector<v1::Label>> UnpackLabels(std::string_view bytes);

// A stored message; DATA_LOSS when it cannot be read.
template <typename T>
absl::Status ParseStored(std::string_view bytes, T* message) {
  if (message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return absl::OkStatus();
  return absl::DataLossError("a stored " + message->GetTypeName() + " cannot be read");
}

}  // namespace cordon::controller
