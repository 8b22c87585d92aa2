#include "controller/server/export_audit_stream.h"

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "controller/server/authorize.h"
#include "controller/server/start_stream.h"

namespace cordon::controller {

ExportAuditStream::ExportAuditStream(grpc::CallbackServerContext& context, ServerParts& parts,
                                     Identity caller, uint64_t from_index)
    : AnswerStream(context, parts.streams),
      parts_(parts),
      caller_(std::move(caller)),
      from_index_(std::max<uint64_t>(from_index, 1)) {}

void ExportAuditStream::Start() {
  RunInReader(parts_.readers, caller_, shared_from_this(), [this] { return Run(); });
}

absl::Status ExportAuditStream::Run() {
  CORDON_RETURN_IF_ERROR(parts_.store.AppendAudit(
      {ActorName(caller_), "audit.export", "audit", StrCat("from entry ", from_index_)}));
  uint64_t last = 0;
  CORDON_RETURN_IF_ERROR(parts_.store.ReadAudit(from_index_, [this, &last](v1::AuditEntry&& entry) {
    last = entry.index();
    v1::ExportAuditResponse response;
    *response.mutable_entry() = std::move(entry);
    return SendWhenRoom(response);
  }));
  if (last == 0) return absl::OkStatus();
  CORDON_ASSIGN_OR_RETURN(const std::string root, parts_.store.AuditRoot(last));
  v1::ExportAuditResponse response;
  CORDON_ASSIGN_OR_RETURN(*response.mutable_checkpoint(), parts_.audit.CheckpointAt(last, root));
  SendWhenRoom(response);
  return absl::OkStatus();
}

}  // namespace cordon::controller
