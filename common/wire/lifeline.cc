#include "common/wire/lifeline.h"

#include <algorithm>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/wire/json.h"
#include "common/wire/trust.h"

namespace cordon {

const v1::Lifeline* FindLifeline(const v1::TrustBundle& bundle, const HostTraits& host) {
  for (const v1::Lifeline& line : bundle.lifelines()) {
    if (line.site() != host.site) continue;
    const auto end =
        line.host_ids().begin() + std::min<int>(static_cast<int>(line.hosts()), line.host_ids_size());
    if (std::find(line.host_ids().begin(), end, host.host_id) != end) return &line;
  }
  return nullptr;
}

v1::Level ClosesTo(const v1::Order& order) {
  return order.has_isolate() ? order.isolate().level()
                             : order.policy().policy().tripwires().isolate().level();
}

absl::Status CheckLifeline(const v1::Order& order, const v1::SignedOrder& signed_order,
                           const v1::TrustBundle& bundle, const HostTraits& host) {
  const v1::Level level = ClosesTo(order);
  if (level == v1::LEVEL_UNSPECIFIED) return absl::OkStatus();
  const v1::Lifeline* line = FindLifeline(bundle, host);
  if (line == nullptr || level <= line->level()) return absl::OkStatus();
  CORDON_ASSIGN_OR_RETURN(const SignatureCount count,
                          CountSignatures(signed_order.order(), signed_order.signatures(), bundle));
  if (count.have >= line->signatures()) return absl::OkStatus();
  return absl::PermissionDeniedError(StrCat("order refused: this host is a lifeline of site ", line->site(),
                                            ": above ", WordOf(line->level()), " it goes only when ",
                                            line->signatures(), " operators sign, ", count.have,
                                            " did; have the order approved, or leave this host out"));
}

}  // namespace cordon
