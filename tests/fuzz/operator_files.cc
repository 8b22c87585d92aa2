// Files that people hand to cordonctl: profiles, exported audit logs, requests and welcomes of operators.

#include "controller/cordonctl/operator_files.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/wire/operator_identity.h"
#include "common/wire/profile.h"
#include "controller/cordonctl/audit_file.h"
#include "controller/cordonctl/profile_file.h"
#include "controller/cordonctl/trust_draft.h"
#include "controller/keys/operator_keys.h"

namespace {

namespace v1 = cordon::v1;

constexpr const char* kOperator = "5c1b2a9e-8d5f-4f27-9d6b-0f6f7f1c2a3b";  // of the seeds

v1::OperatorIdentity OwnPending() {
  v1::OperatorIdentity pending;
  pending.set_format(1);
  pending.set_operator_id(kOperator);
  pending.set_name("blake");
  if (!cordon::controller::PutKeys(*cordon::controller::NewOperatorKeys(), "", &pending).ok()) std::abort();
  return pending;
}

// What Join takes must be an identity that can be read again, of the same operator.
void JoinThem(const v1::OperatorIdentity& pending, const v1::OperatorWelcome& welcome) {
  const auto identity = cordon::ctl::Join(pending, welcome);
  if (!identity.ok()) return;
  if (identity->operator_id() != pending.operator_id()) std::abort();
  if (!cordon::ReadOperatorIdentity(cordon::WriteOperatorIdentity(*identity)).ok()) std::abort();
}

void ReadFiles(std::string_view text) {
  const auto request = cordon::ctl::ReadRequest(text);
  if (request.ok() && !cordon::ctl::ReadRequest(cordon::ctl::WriteRequest(*request)).ok()) std::abort();
  // A welcome is for keys that wait, and the other way round: the one that is not fuzzed is as it should be.
  static const v1::OperatorIdentity own = OwnPending();
  if (const auto welcome = cordon::ctl::ReadWelcome(text); welcome.ok()) JoinThem(own, *welcome);
  if (const auto pending = cordon::ctl::ReadPending(text); pending.ok()) {
    v1::OperatorWelcome welcome;
    welcome.set_operator_id(pending->operator_id());
    welcome.set_fleet_id(kOperator);
    welcome.add_controllers("controller.test:8443");
    welcome.set_ca_pem(pending->ca_pem());
    welcome.set_certificate_pem(pending->certificate_pem());
    welcome.set_trust_bundle_sha256(std::string(32, 'x'));
    welcome.set_trust_version(1);
    JoinThem(*pending, welcome);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto profile = cordon::ctl::ParseProfile(text, "fuzz.toml");
  if (profile.ok() && !cordon::CheckProfile(*profile).ok()) std::abort();
  const auto entry = cordon::ctl::ParseAuditLine(text);
  if (entry.ok() && !cordon::ctl::ParseAuditLine(cordon::ctl::FormatAuditLine(*entry)).ok()) std::abort();
  ReadFiles(text);
  // The same without the armour, in which few mutations are still base64.
  const std::string bytes(text);
  if (v1::OperatorRequest request; request.ParseFromString(bytes))
    ReadFiles(cordon::ctl::WriteRequest(request));
  if (v1::OperatorWelcome welcome; welcome.ParseFromString(bytes))
    ReadFiles(cordon::ctl::WriteWelcome(welcome));
  if (v1::OperatorIdentity pending; pending.ParseFromString(bytes))
    ReadFiles(cordon::ctl::WritePending(pending));
  static_cast<void>(cordon::ctl::ParseThresholds({std::string(text)}));
  return 0;
}
