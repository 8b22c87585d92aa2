#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "controller/server/authorize.h"
#include "controller/server/bounds.h"
#include "controller/server/operator_calls.h"

namespace cordon::controller {
namespace {

constexpr uint32_t kDefaultEntries = 100;

std::string WhatIsAsked(const v1::ListAuditRequest& request) {
  std::string text = request.action_prefix().empty() ? "all" : StrCat(request.action_prefix(), "…");
  if (!request.host_id().empty()) StrAppend(&text, " of host ", request.host_id());
  return text;
}

}  // namespace

absl::Status ListAudit(ServerParts& parts, const Identity& caller, const v1::ListAuditRequest& request,
                       v1::ListAuditResponse* response) {
  CORDON_RETURN_IF_ERROR(CheckListAudit(request));
  if (request.page_token().empty()) {  // noted once, not for each page
    CORDON_RETURN_IF_ERROR(
        parts.store.AppendAudit({ActorName(caller), "audit.list", "audit", WhatIsAsked(request)}));
  }
  CORDON_ASSIGN_OR_RETURN(
      AuditPage page,
      parts.store.ListAudit({.limit = request.limit() == 0 ? kDefaultEntries : request.limit(),
                             .page_token = request.page_token(),
                             .host_id = request.host_id(),
                             .action_prefix = request.action_prefix()}));
  for (v1::AuditEntry& entry : page.entries) *response->add_entries() = std::move(entry);
  response->set_next_page_token(page.next_page_token);
  return absl::OkStatus();
}

}  // namespace cordon::controller
