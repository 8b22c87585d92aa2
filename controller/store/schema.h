#pragma once

#include <array>
#include <string_view>

namespace cordon::controller {

// One element per schema version; only ever appended to.
inline constexpr std::array<std::string_view, 10> kSchema = {
    R"sql(
CREATE TABLE fleet(
  one INTEGER PRIMARY KEY CHECK(one = 1),
  fleet_id TEXT NOT NULL,
  organisation TEXT NOT NULL,
  trust_bundle BLOB NOT NULL);

CREATE TABLE hosts(
  host_id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  site TEXT NOT NULL,
  labels BLOB NOT NULL,            -- a Target with nothing but labels
  facts BLOB NOT NULL,
  enrollment_id TEXT NOT NULL,
  enrolled INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  receipt BLOB,
  receipt_time INTEGER NOT NULL DEFAULT 0,
  revoked INTEGER NOT NULL DEFAULT 0,
  serial TEXT NOT NULL,
  not_before INTEGER NOT NULL,
  not_after INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE certificates(
  serial TEXT PRIMARY KEY,
  identity TEXT NOT NULL,          -- "host/<id>", "bootstrap/<id>"
  not_before INTEGER NOT NULL,
  not_after INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE enrollments(
  enrollment_id TEXT PRIMARY KEY,
  site TEXT NOT NULL,
  labels BLOB NOT NULL,
  uses INTEGER NOT NULL,
  used INTEGER NOT NULL DEFAULT 0 CHECK(used <= uses),
  expiry INTEGER NOT NULL,
  created INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  revoked INTEGER NOT NULL DEFAULT 0,
  token_sha256 BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE orders(
  number INTEGER PRIMARY KEY,      -- in order of submission
  order_id TEXT NOT NULL UNIQUE,
  lane TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  expiry INTEGER NOT NULL,
  submitted_by TEXT NOT NULL,
  submitted INTEGER NOT NULL,
  wide_target BLOB,                -- sites, labels, all: what hosts that enrol later can match; NULL = none
  swept INTEGER NOT NULL DEFAULT 0,  -- expiry has been marked on its outcomes
  signed_order BLOB NOT NULL);     -- as submitted
CREATE INDEX orders_expiry ON orders(expiry) WHERE swept = 0;
CREATE INDEX orders_sequence ON orders(sequence);

CREATE TABLE outcomes(
  order_id TEXT NOT NULL REFERENCES orders(order_id),
  host_id TEXT NOT NULL REFERENCES hosts(host_id),
  lane TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  state INTEGER NOT NULL,          -- OrderOutcome.State
  outcome BLOB NOT NULL,           -- OrderOutcome
  PRIMARY KEY(order_id, host_id)) WITHOUT ROWID;
CREATE INDEX outcomes_host ON outcomes(host_id, lane, sequence);

CREATE TABLE chains(
  host_id TEXT NOT NULL REFERENCES hosts(host_id),
  chain_id TEXT NOT NULL,
  current INTEGER NOT NULL,        -- 0: ended, nothing is taken for it any more
  acknowledged_sequence INTEGER NOT NULL,
  last_hash BLOB NOT NULL,
  PRIMARY KEY(host_id, chain_id)) WITHOUT ROWID;

CREATE TABLE batches(
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  host_id TEXT NOT NULL,
  chain_id TEXT NOT NULL,
  first_sequence INTEGER NOT NULL,
  event_count INTEGER NOT NULL,
  event_class INTEGER NOT NULL,
  first_time INTEGER NOT NULL,
  last_time INTEGER NOT NULL,
  dropped INTEGER NOT NULL,        -- Gap.Cause; 0 = not dropped
  previous_hash BLOB NOT NULL,
  payload_sha256 BLOB NOT NULL,
  payload BLOB NOT NULL,
  UNIQUE(host_id, chain_id, first_sequence));
CREATE INDEX batches_time ON batches(first_time, position, last_time, event_class, event_count, host_id);

CREATE TABLE audit(
  entry_index INTEGER PRIMARY KEY,
  time INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  previous_hash BLOB NOT NULL,
  hash BLOB NOT NULL);
CREATE TRIGGER audit_is_append_only_1 BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER audit_is_append_only_2 BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
)sql",
    // What a host showed in its last session: its receipts are verified with it.
    "ALTER TABLE hosts ADD COLUMN certificate BLOB;",
    // The audit log's Merkle tree: the whole subtrees over its entries' hashes (common/wire/merkle.h).
    // Entries of a store that is older than this get theirs when it is opened.
    R"sql(
CREATE TABLE audit_tree(
  level INTEGER NOT NULL,
  node INTEGER NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY(level, node)) WITHOUT ROWID;
CREATE TRIGGER audit_tree_is_append_only_1 BEFORE UPDATE ON audit_tree BEGIN
  SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER audit_tree_is_append_only_2 BEFORE DELETE ON audit_tree BEGIN
  SELECT RAISE(ABORT, 'the audit log only grows'); END;
)sql",
    // Batches that are stored ahead of a hole; and batches of a chain that was begun anew whose events are
    // stored already, at that position: only their header is kept.
    R"sql(
CREATE TABLE segments(
  host_id TEXT NOT NULL,
  chain_id TEXT NOT NULL,
  first_sequence INTEGER NOT NULL,
  last_sequence INTEGER NOT NULL,
  previous_hash BLOB NOT NULL,     -- what the first batch names
  last_hash BLOB NOT NULL,
  PRIMARY KEY(host_id, chain_id, first_sequence),
  FOREIGN KEY(host_id, chain_id) REFERENCES chains(host_id, chain_id)) WITHOUT ROWID;
ALTER TABLE batches ADD COLUMN repeats INTEGER NOT NULL DEFAULT 0;
)sql",
    // Orders that wait for signatures (AUT-3), and every trust bundle that was in force. The first bundle of
    // a store that is older than this is written when it is opened.
    R"sql(
ALTER TABLE orders ADD COLUMN proposal INTEGER NOT NULL DEFAULT 0;           -- ProposalState
ALTER TABLE orders ADD COLUMN signatures_needed INTEGER NOT NULL DEFAULT 0;  -- 0: from before it was kept
ALTER TABLE orders ADD COLUMN released INTEGER NOT NULL DEFAULT 0;           -- rises as they go to hosts; 0 = not yet
UPDATE orders SET released = number;
CREATE INDEX orders_released ON orders(released);
CREATE INDEX orders_open ON orders(proposal) WHERE proposal = 1;
CREATE TABLE trust_history(
  version INTEGER PRIMARY KEY,     -- of the bundle
  sequence INTEGER NOT NULL,       -- of the order in its lane; 0 = the first bundle, which no order made
  signed_order BLOB NOT NULL);     -- the first bundle stands in an order without signatures
ALTER TABLE enrollments ADD COLUMN trust_version INTEGER NOT NULL DEFAULT 0;  -- in force when its file was made
)sql",
    // What hosts signed of their baselines: the next scan's report is held against it.
    R"sql(
CREATE TABLE baselines(
  host_id TEXT NOT NULL REFERENCES hosts(host_id),
  roots BLOB NOT NULL,             -- each with a zero byte behind it
  sha256 BLOB NOT NULL,
  report BLOB NOT NULL,            -- the ScanReport that says so
  signature BLOB NOT NULL,
  PRIMARY KEY(host_id, roots)) WITHOUT ROWID;
)sql",
    // The same payload of the same host in another chain, found in O(log n) whatever a host sends (AUT-6).
    R"sql(
CREATE INDEX batches_payload ON batches(host_id, payload_sha256, event_class, chain_id)
  WHERE dropped = 0 AND repeats <= 0;
)sql",
    // Whom a key has enrolled: it gets the same host again when the answer was lost (AUT-1).
    R"sql(
ALTER TABLE hosts ADD COLUMN enrolled_key BLOB;                      -- SHA-256 of its public key; NULL: older
ALTER TABLE hosts ADD COLUMN enrolled_again INTEGER NOT NULL DEFAULT 0;  -- how often it asked once more
CREATE INDEX hosts_enrolled_key ON hosts(enrollment_id, enrolled_key) WHERE enrolled_key IS NOT NULL;
)sql",
    // Events that age out leave their batch's header, with repeats = -1.
    R"sql(
CREATE TABLE event_marks(
  time INTEGER PRIMARY KEY,        -- by the controller's clock, an hour or more apart
  position INTEGER NOT NULL);      -- the newest batch that was committed by then
CREATE TABLE event_age(
  one INTEGER PRIMARY KEY CHECK(one = 1),
  position INTEGER NOT NULL);      -- what has aged out up to here is out
INSERT INTO event_age VALUES(1, 0);
)sql",
    // What the controller found about a host, found in O(log n) however long the audit log is
    // (host_notice.h).
    "CREATE INDEX audit_about ON audit(subject, action);"};

}  // namespace cordon::controller
