#include "common/wire/audit_chain.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "common/base/status.h"
#include "common/base/strings.h"

namespace cordon {
namespace {

std::vector<v1::AuditEntry> LogOf(int entries) {
  std::vector<v1::AuditEntry> log;
  AuditChainCheck end;
  for (int i = 1; i <= entries; ++i) {
    v1::AuditEntry entry;
    entry.set_index(i);
    entry.set_time_unix_nanos(1'700'000'000'000'000'000 + i);
    entry.set_actor("operator/anna");
    entry.set_action("order.submit");
    entry.set_subject("order 7");
    entry.set_detail("isolate essential");
    entry.set_previous_hash(end.Hash());
    entry.set_hash(AuditHash(entry));
    EXPECT_TRUE(end.Next(entry).ok());
    log.push_back(entry);
  }
  return log;
}

TEST(AuditChain, AcceptsAWholeLogAndAnEmptyOne) {
  EXPECT_TRUE(VerifyAudit({}).ok());
  EXPECT_TRUE(VerifyAudit(LogOf(20)).ok());
}

TEST(AuditChain, NamesTheEntryOfWhichAnyFieldWasAltered) {
  const std::vector<std::function<void(v1::AuditEntry&)>> alterations = {
      [](auto& e) { e.set_index(e.index() + 1); },
      [](auto& e) { e.set_time_unix_nanos(e.time_unix_nanos() - 1); },
      [](auto& e) { e.set_actor("operator/mallory"); },
      [](auto& e) { e.set_action("order.submi"); },
      [](auto& e) { e.set_subject(""); },
      [](auto& e) { e.set_detail(e.detail() + " "); },
      [](auto& e) { e.mutable_previous_hash()->at(0) ^= 1; },
      [](auto& e) { e.mutable_hash()->at(31) ^= 1; },
      [](auto& e) { e.clear_hash(); },
      // A byte moved from one field to the next keeps the joined text, but not the lengths.
      [](auto& e) { e.set_action(e.action() + "o"), e.set_subject(e.subject().substr(1)); },
  };
  for (size_t i = 0; i < alterations.size(); ++i) {
    std::vector<v1::AuditEntry> log = LogOf(5);
    alterations[i](log[2]);
    const absl::Status status = VerifyAudit(log);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << "alteration " << i;
    EXPECT_NE(Message(status).find(StrCat("audit entry ", log[2].index())), std::string_view::npos) << status;
  }
}

TEST(AuditChain, AnAlteredEntryWithItsHashMadeAnewBreaksTheNextOne) {
  std::vector<v1::AuditEntry> log = LogOf(5);
  log[2].set_actor("operator/mallory");
  log[2].set_hash(AuditHash(log[2]));
  EXPECT_NE(Message(VerifyAudit(log)).find("audit entry 4"), std::string_view::npos);
}

TEST(AuditChain, SeesRemovedAndReorderedEntries) {
  std::vector<v1::AuditEntry> removed = LogOf(5);
  removed.erase(removed.begin() + 1);
  EXPECT_NE(Message(VerifyAudit(removed)).find("entries are missing"), std::string_view::npos);
  std::vector<v1::AuditEntry> reordered = LogOf(5);
  std::swap(reordered[1], reordered[2]);
  EXPECT_FALSE(VerifyAudit(reordered).ok());
}

TEST(AuditChain, GoesOnBehindAKnownEntry) {
  const std::vector<v1::AuditEntry> log = LogOf(5);
  AuditChainCheck good(3, log[2].hash());
  EXPECT_TRUE(good.Next(log[3]).ok());
  AuditChainCheck bad(3, log[1].hash());
  EXPECT_FALSE(bad.Next(log[3]).ok());
}

}  // namespace
}  // namespace cordon
