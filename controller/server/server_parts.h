#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "controller/pki/pki.h"
#include "controller/server/audit_prover.h"
#include "controller/server/budgets.h"
#include "controller/server/commit.h"
#include "controller/server/control_message.h"
#include "controller/server/feeds.h"
#include "controller/server/inbound_prober.h"
#include "controller/server/live_streams.h"
#include "controller/server/server.h"
#include "controller/server/sessions.h"
#include "controller/server/workers.h"
#include "controller/store/host_notice.h"
#include "controller/store/store.h"

namespace cordon::controller {

// What the calls of one server share. Made and stopped by Server, in the order of its members.
struct ServerParts {
  ServerParts(const ServerOptions& options_, Store& store_, const Pki& pki_, const Clock& clock_)
      : options(options_), store(store_), pki(pki_), clock(clock_), audit(store_, pki_, clock_) {}

  const ServerOptions options;
  Store& store;
  const Pki& pki;
  const Clock& clock;

  AuditProver audit;
  LiveStreams streams;
  Sessions sessions;
  OrderMessages orders;
  OutcomeFeed outcomes;
  CommitFeed commits;
  AnswerFeed<v1::HealthAnswer> polls;
  AnswerFeed<v1::RehearsalAnswer> rehearsals;
  InboundProber inbound;

  // Held while orders are released by the store and pushed: they reach a host in the order of their release,
  // since each is judged by the change of trust before it (AUT-3).
  std::mutex release_mutex;

  // Short calls of the store. Operators have threads of their own: ten thousand hosts that come back after a
  // power cut do not keep an order waiting.
  Workers workers{options.workers, kCallsOfOneEnrollment};
  Workers operators{options.workers, kCallsOfOneOperator};
  Budgets budgets{options.host_limits, [this](const std::string& host_id, const std::string& what) {
                    NameMisbehaviour("host", kHeldBack, host_id, what);
                  }};
  // Of an operator, streams alone are counted here: his other calls are by `operators` and `readers`.
  Budgets operator_budgets{HostLimits{.streams = options.operator_streams},
                           [this](const std::string& operator_id, const std::string& what) {
                             NameMisbehaviour("operator", kOperatorHeldBack, operator_id, what);
                           }};
  Readers readers{kReaders, kReadersOfOne};  // long answers, each at the pace of its reader
  BatchQueue batches{kBatchesAtATime, [this](std::vector<BatchToCommit> group) {
                       CommitBatchGroup(store, commits, outcomes, std::move(group));
                     }};
  ReportQueue reports{kReportsAtATime, [this](std::vector<ReportToRecord> group) {
                        RecordReportGroup(store, outcomes, std::move(group));
                      }};

  static constexpr std::string_view kOperatorHeldBack = "operator.held_back";

  // In the log, and in the audit log as `action`.
  void NameMisbehaviour(std::string_view kind, std::string_view action, const std::string& id,
                        const std::string& what);

  // A whole site may enrol with one file at once, and waits otherwise for one answer after the other.
  static constexpr int kCallsOfOneEnrollment = 1'024;
  static constexpr int kCallsOfOneOperator = 32;
  static constexpr int kReaders = 16;
  static constexpr int kReadersOfOne = 4;  // of one operator
  static constexpr size_t kBatchesAtATime = 256;
  static constexpr size_t kReportsAtATime = 4'096;
};

}  // namespace cordon::controller
