#pragma once

// What the store keeps and hands out. Plain values; times are wall clock, nanoseconds since 1970.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/v1/event.pb.h"
#include "cordon/v1/gateway.pb.h"
#include "cordon/v1/operator.pb.h"
#include "cordon/v1/order.pb.h"

namespace cordon::controller {

// What a store is of. One per store, written when it is made.
struct Fleet {
  std::string fleet_id;      // UUID
  std::string organisation;  // as in certificates
  v1::SignedTrustBundle trust_bundle;
};

// A certificate that the CA gave out, for the record.
struct CertificateRecord {
  std::string serial_hex;
  int64_t not_before_unix_nanos = 0;
  int64_t not_after_unix_nanos = 0;
};

struct HostRecord {
  std::string host_id;
  v1::HostFacts facts;
  std::string site;
  std::vector<v1::Label> labels;
  std::string enrollment_id;
  int64_t enrolled_unix_nanos = 0;
  int64_t last_seen_unix_nanos = 0;
  v1::Receipt receipt;  // the last one; read_back_time 0 = none yet
  bool revoked = false;
  CertificateRecord certificate;  // the newest
  std::string certificate_pem;    // that of its last session; empty before the first
  uint64_t acknowledged_sequence = 0;
  std::vector<v1::HostNotice> notices;  // the newest of each kind, newest first; ListHosts only
  std::string going_dark_order_id;  // the isolation order of which its last word is that it goes dark by it
};

struct AuditQuery {
  uint32_t limit = 100;            // 1 to 1,000
  std::string page_token = {};     // empty: from the newest on
  std::string host_id = {};        // whose id actor, subject or detail have in them; empty = all
  std::string action_prefix = {};  // empty = all
};

struct AuditPage {
  std::vector<v1::AuditEntry> entries;  // newest first
  std::string next_page_token;          // empty: that was all
};

struct HostPage {
  std::vector<HostRecord> hosts;  // by host_id
  std::string next_page_token;    // empty: that was all
};

// A host that asks to be enrolled. The CA has issued its certificate already; it goes out only when
// EnrollHost returned OK.
struct NewHost {
  std::string host_id;  // UUID made by the controller
  v1::HostFacts facts;
  CertificateRecord certificate;
  std::string key_sha256 = {};  // of the public key in its request, which it has proven to have
};

struct NewEnrollment {
  std::string enrollment_id;  // UUID
  std::string site;
  std::vector<v1::Label> labels;
  uint32_t uses = 1;
  int64_t expiry_unix_nanos = 0;
  std::string token;              // 32 bytes; the store keeps only its SHA-256
  CertificateRecord certificate;  // of the bootstrap identity
};

struct HostSeen {
  std::string host_id;
  int64_t last_seen_unix_nanos = 0;
};

// What a host said of itself in its Hello, and the certificate that it showed.
struct HostNews {
  std::string host_id;
  v1::HostFacts facts;
  std::string certificate_pem;
};

struct HostReceipt {
  std::string host_id;
  v1::Receipt receipt;
};

struct OrderRecord {
  std::string order_id;
  std::string lane;
  uint64_t sequence = 0;
  int64_t not_before_unix_nanos = 0;
  int64_t expiry_unix_nanos = 0;
  std::string submitted_by;  // operator id
  int64_t submitted_unix_nanos = 0;
  v1::SignedOrder signed_order;  // the bytes as they were submitted, with every signature that came since
  v1::ProposalState proposal = v1::PROPOSAL_STATE_UNSPECIFIED;
  int64_t released = 0;            // rises in the order in which orders went to their hosts; 0 = not yet
  uint32_t signatures_needed = 0;  // by the trust bundle in force; of one that is no open proposal, then
};

struct OrderPage {
  std::vector<v1::OrderSummary> orders;  // newest first
  std::string next_page_token;           // empty: that was all
};

struct OutcomePage {
  std::vector<v1::OrderOutcome> outcomes;  // by host_id
  std::string next_page_token;             // empty: that was all
};

struct SubmittedOrder {
  v1::SignedOrder signed_order;  // as hosts get it
  // OPEN: it waits for signatures, and no host has an outcome of it.
  v1::ProposalState proposal = v1::PROPOSAL_STATE_UNSPECIFIED;
  uint32_t signatures = 0;  // distinct operators
  uint32_t signatures_needed = 0;
  std::vector<std::string> host_ids;         // whom it is meant for now, revoked hosts left out
  std::vector<v1::OrderOutcome> superseded;  // older orders of the lane that this one puts out of force
  bool repeat = false;                       // the very same order was there already: nothing changed
};

struct HostBatch {
  std::string host_id;  // from the certificate (AUT-2)
  v1::Batch batch;
  bool opens_segment = false;  // batches before it follow later
};

// Consecutive batches that are stored while some before them are not yet.
struct ChainSegment {
  uint64_t first_sequence = 0;
  uint64_t last_sequence = 0;
  std::string
      previous_hash;  // what its first batch names: that of the batch that at last comes before (TEL-3)
  std::string last_hash;
  friend bool operator==(const ChainSegment&, const ChainSegment&) = default;
};

// How far a host's chain of batches is stored.
struct ChainPosition {
  std::string chain_id;  // empty: nothing is stored of this host
  uint64_t acknowledged_sequence = 0;
  std::string last_hash;                 // 32 bytes; zeroes before the first batch
  std::vector<ChainSegment> ahead = {};  // beyond holes; by sequence, none touches another
  friend bool operator==(const ChainPosition&, const ChainPosition&) = default;
};

struct BatchResult {
  enum class Verdict {
    kCommitted,
    kRepeat,   // stored before: acknowledge again
    kRefused,  // breaks the chain or its limits (TEL-3); `reason` names how. Nothing of it is stored.
  };
  Verdict verdict = Verdict::kRefused;
  std::string reason;
  ChainPosition position;  // after this batch
  // What the batch is part of, when it is stored: all of it is.
  uint64_t stored_from = 0;  // 0 = the chain's beginning
  uint64_t stored_to = 0;
};

struct CommitResult {
  std::vector<BatchResult> batches;                // one per batch given, same order
  std::vector<v1::OrderOutcome> changed_outcomes;  // what order_outcome events in them changed, for watchers
};

struct EventQuery {
  v1::Target target;
  bool every_host = true;  // false: `target` says which
  int64_t since_unix_nanos = 0;
  int64_t until_unix_nanos = 0;         // exclusive; 0 = no end
  std::vector<v1::EventClass> classes;  // empty = all
  uint64_t limit = 0;                   // the newest N of the range; 0 = all
  int64_t until_position = 0;           // of EventsAfter: the last position that is looked at; 0 = the newest
  // Asked every now and then; false ends the query (which then returns OK), also one that finds nothing.
  std::function<bool()> goes_on = {};
};

// Who did what, for the audit log. The store adds index, time and hashes.
struct AuditNote {
  std::string actor;   // "operator/<id>", "host/<id>", "controller"
  std::string action;  // "order.submit"
  std::string subject;
  std::string detail;
};

// The state of the audit log.
struct AuditHead {
  uint64_t size = 0;  // entries
  std::string root;   // 32 bytes
};

}  // namespace cordon::controller
