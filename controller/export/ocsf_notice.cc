#include <utility>

#include "common/base/hex.h"
#include "common/wire/json.h"
#include "controller/export/ocsf.h"
#include "controller/export/ocsf_line.h"
#include "controller/store/host_notice.h"

namespace cordon::controller {
namespace {

using namespace ocsf;  // NOLINT(google-build-using-namespace): the other half of this file

struct NoticeText {
  std::string_view title;
  Severity severity;
};

NoticeText TextOf(std::string_view action) {
  if (action == kClonedSession) return {"Two copies of the host's identity live", Severity::kHigh};
  if (action == kHeldBack) return {"The host misbehaves and is held back", Severity::kMedium};
  return {"Another run of the agent took a live session over", Severity::kLow};
}

}  // namespace

object NoticeToOcsf(const v1::AuditEntry& entry, std::string_view host_name,
                    std::string_view product_version) {
  const NoticeText text = TextOf(entry.action());
  const std::string uid = HexEncode(entry.hash());
  Line line{.of = Class::kDetectionFinding, .activity = 1, .severity = text.severity, .status = 1};
  line.attributes["finding_info"] = object{{"uid", uid},
                                           {"title", text.title},
                                           {"desc", entry.detail()},
                                           {"created_time", Millis(entry.time_unix_nanos())}};
  line.attributes["is_alert"] = text.severity >= Severity::kMedium;
  return WriteLine(std::move(line), entry.time_unix_nanos(), {{"uid", uid}},
                   {{"uid", entry.subject()}, {"hostname", host_name}}, {{"audit_entry", ToJson(entry)}},
                   product_version);
}

}  // namespace cordon::controller
