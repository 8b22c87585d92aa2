#include "agent/orders/lane_store.h"

#include <utility>

#include "agent/spool/agent_database.h"
#include "common/base/status.h"

namespace cordon::agent {
namespace {

template <typename Message>
absl::Status Parse(std::string_view bytes, std::string_view what, Message* message) {
  if (message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return absl::OkStatus();
  return absl::DataLossError(StrCat("agent.db: the ", what, " is damaged"));
}

}  // namespace

LaneStore::LaneStore(Database database) : database_(std::move(database)) {}

absl::StatusOr<std::unique_ptr<LaneStore>> LaneStore::Open(const std::filesystem::path& file,
                                                           const Clock& clock) {
  CORDON_ASSIGN_OR_RETURN(OpenedDatabase opened, OpenAgentDatabase(file, clock.WallNanos()));
  return std::unique_ptr<LaneStore>(new LaneStore(std::move(opened.database)));
}

absl::StatusOr<std::optional<LaneRecord>> LaneStore::Read(std::string_view lane) {
  CORDON_ASSIGN_OR_RETURN(
      Statement query,
      database_.Prepare("SELECT sequence, order_id, outcome, signed_order FROM lane WHERE lane = ?"));
  CORDON_ASSIGN_OR_RETURN(const bool row, query.BindText(1, lane).Step());
  if (!row) return std::nullopt;
  LaneRecord record{
      .sequence = query.Unsigned(0), .order_id = std::string(query.Bytes(1)), .outcome = {}, .order = {}};
  CORDON_RETURN_IF_ERROR(Parse(query.Bytes(2), "outcome of an order", &record.outcome));
  CORDON_RETURN_IF_ERROR(Parse(query.Bytes(3), "order of a lane", &record.order));
  return record;
}

absl::Status LaneStore::Write(std::string_view lane, const LaneRecord& record) {
  CORDON_ASSIGN_OR_RETURN(Statement replace,
                          database_.Prepare("INSERT OR REPLACE INTO lane VALUES(?, ?, ?, ?, ?)"));
  return replace.BindText(1, lane)
      .BindUnsigned(2, record.sequence)
      .BindText(3, record.order_id)
      .BindBlob(4, record.outcome.SerializeAsString())
      .BindBlob(5, record.order.SerializeAsString())
      .Run();
}

absl::StatusOr<std::optional<v1::Policy>> LaneStore::ReadPolicy() {
  CORDON_ASSIGN_OR_RETURN(Statement query, database_.Prepare("SELECT policy FROM policy"));
  CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
  if (!row) return std::nullopt;
  v1::Policy policy;
  CORDON_RETURN_IF_ERROR(Parse(query.Bytes(0), "policy", &policy));
  return policy;
}

absl::Status LaneStore::WritePolicy(const v1::Policy& policy) {
  CORDON_ASSIGN_OR_RETURN(Statement replace, database_.Prepare("INSERT OR REPLACE INTO policy VALUES(1, ?)"));
  return replace.BindBlob(1, policy.SerializeAsString()).Run();
}

}  // namespace cordon::agent
