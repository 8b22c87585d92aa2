#include "common/wire/enrollment_file.h"

#include "common/base/network.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/crypto/digest.h"
#include "common/crypto/pem.h"

namespace cordon {
namespace {

constexpr std::string_view kLabel = "CORDON ENROLLMENT";

std::string CheckOf(v1::EnrollmentFile file) {
  file.clear_check();
  return Sha256(file.SerializeAsString());
}

absl::Status CheckFields(const v1::EnrollmentFile& file) {
  const auto bad = [](std::string_view what) {
    return absl::InvalidArgumentError(StrCat("enrolment file: ", what));
  };
  if (file.format() != 1) return bad(StrCat("format ", file.format(), " is not known to this version"));
  if (!IsUuid(file.fleet_id())) return bad("no fleet id");
  if (!IsUuid(file.enrollment_id())) return bad("no enrolment id");
  if (file.controllers().empty() || file.controllers_size() > 8) return bad("needs 1 to 8 controllers");
  for (const std::string& controller : file.controllers()) {
    if (const auto parsed = ParseHostPort(controller); !parsed.ok()) return bad(Message(parsed.status()));
  }
  if (!IsName(file.site())) return bad("the site is not a name of [a-z0-9-]");
  if (file.token().size() != 32) return bad("the token is not 32 bytes");
  if (file.trust_bundle_sha256().size() != kSha256Bytes) return bad("no trust bundle hash");
  if (file.ca_pem().empty() || file.bootstrap_certificate_pem().empty() || file.bootstrap_key_pem().empty()) {
    return bad("no CA, bootstrap certificate or bootstrap key");
  }
  return absl::OkStatus();
}

}  // namespace

std::string WriteEnrollmentFile(v1::EnrollmentFile file) {
  file.set_check(CheckOf(file));
  return PemArmour(kLabel, file.SerializeAsString());
}

absl::StatusOr<v1::EnrollmentFile> ReadEnrollmentFile(std::string_view text) {
  const absl::StatusOr<std::string> bytes = PemUnarmour(kLabel, text, kMaxEnrollmentFileBytes);
  if (!bytes.ok()) return Annotate(bytes.status(), "enrolment file");
  v1::EnrollmentFile file;
  if (!file.ParseFromString(*bytes) || !ConstantTimeEquals(file.check(), CheckOf(file))) {
    return absl::InvalidArgumentError("enrolment file: it is cut or altered; ask for a new one");
  }
  CORDON_RETURN_IF_ERROR(CheckFields(file));
  return file;
}

}  // namespace cordon
