#pragma once

// What the controller keeps of hosts' baselines. Private to this folder; `database` is the writer, inside a
// transaction.

#include <absl/status/status.h>

#include <cstdint>

#include "common/sqlite/database.h"
#include "cordon/v1/order.pb.h"

namespace cordon::controller {

// Of a scan that is done: holds the baseline that it began with against the one that the host signed last for
// the same roots, keeps the one that it ended with, and says in the outcome's message and in the audit log
// when they are not the same. Reports that the host's certificate does not verify are not kept, and said.
absl::Status JudgeBaseline(Database& database, int64_t now, v1::OrderOutcome* outcome);

}  // namespace cordon::controller
