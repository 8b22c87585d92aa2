#include "controller/cordonctl/receipt_check.h"

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/wire/json.h"
#include "common/wire/receipt.h"

namespace cordon::ctl {
namespace {

constexpr const char* kUnverified = "unverified";
constexpr int64_t kStaleNanos = 2 * 3600 * kNanosPerSecond;
constexpr int64_t kClockSlackNanos = 300 * kNanosPerSecond;

}  // namespace

CheckedReceipt CheckReceipt(const v1::Receipt& receipt, const v1::Host& host, const std::string& ca_pem) {
  CheckedReceipt checked;
  absl::StatusOr<v1::Receipt> said = VerifyReceipt(receipt, host.host_id(), host.certificate_pem(), ca_pem);
  checked.verified = said.ok();
  if (said.ok()) {
    checked.receipt = *std::move(said);
    checked.receipt.set_signature(receipt.signature());
    checked.receipt.set_statement(receipt.statement());
  } else {
    checked.receipt = receipt;
    checked.notes.emplace_back(Message(said.status()));
  }
  for (const std::string& reason : checked.receipt.reasons()) checked.notes.push_back(reason);
  return checked;
}

bool IsFresh(const v1::Receipt& receipt, int64_t now_unix_nanos) {
  const int64_t time = receipt.read_back_time_unix_nanos();
  return time > now_unix_nanos - kStaleNanos && time <= now_unix_nanos + kClockSlackNanos;
}

std::string ContainmentWord(const CheckedReceipt& checked) {
  return checked.verified ? WordOf(checked.receipt.containment()) : kUnverified;
}

std::string LevelWord(const CheckedReceipt& checked) {
  if (!checked.verified) return kUnverified;
  const v1::Level level = checked.receipt.enforced_level();
  return level == v1::LEVEL_UNSPECIFIED ? "unknown" : WordOf(level);
}

v1::Receipt Believed(const CheckedReceipt& checked) {
  if (checked.verified) return checked.receipt;
  v1::Receipt nothing;
  nothing.add_reasons(checked.notes.front());
  return nothing;
}

boost::json::object ReceiptJson(const CheckedReceipt& checked) {
  boost::json::object json = ToJson(checked.receipt);
  json["verified"] = checked.verified;
  if (!checked.verified) json["containment"] = kUnverified;
  return json;
}

}  // namespace cordon::ctl
