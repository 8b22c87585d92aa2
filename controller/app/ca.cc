#include "controller/app/ca.h"

#include <algorithm>

#include "common/base/hex.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "common/crypto/x509.h"
#include "common/wire/trust_bundle.h"
#include "controller/app/init.h"
#include "controller/pki/ca_change.h"
#include "controller/pki/pki.h"
#include "controller/store/sqlite_store.h"

namespace cordon::controller {
namespace {

struct Standing {
  AuthoritiesOnDisk disk;
  v1::TrustBundle trust;  // in force
  std::unique_ptr<Store> store;
};

absl::StatusOr<Standing> Look(const std::filesystem::path& data, const Clock& clock) {
  Standing standing;
  CORDON_RETURN_IF_ERROR(FinishChange(PkiFolder(data)));
  CORDON_ASSIGN_OR_RETURN(standing.disk, ReadAuthorities(PkiFolder(data)));
  CORDON_ASSIGN_OR_RETURN(standing.store, OpenSqliteStore(StoreFile(data), clock));
  CORDON_ASSIGN_OR_RETURN(const Fleet fleet, standing.store->GetFleet());
  CORDON_ASSIGN_OR_RETURN(standing.trust, ParseTrustBundle(fleet.trust_bundle));
  return standing;
}

bool Names(const v1::TrustBundle& trust, const std::string& ca_pem) {
  return std::ranges::find(trust.ca_pem(), ca_pem) != trust.ca_pem().end();
}

std::string Line(const char* what, const std::string& pem, const v1::TrustBundle& trust) {
  if (pem.empty()) return "";
  return StrCat(what, " SHA-256 ", HexEncode(Sha256(pem)).substr(0, 16),
                Names(trust, pem) ? ", in the trust bundle\n" : ", not in the trust bundle\n");
}

// Hosts that would be shut out without the old CA: the certificate that they showed last is not of the one in
// use.
absl::StatusOr<std::vector<std::string>> HostsOfOthers(Store& store, const std::string& in_use_pem) {
  constexpr uint32_t kPage = 1'000;
  std::vector<std::string> names;
  std::string token;
  do {
    CORDON_ASSIGN_OR_RETURN(const HostPage page, store.ListHosts(nullptr, kPage, token));
    for (const HostRecord& host : page.hosts) {
      if (host.revoked || host.certificate_pem.empty()) continue;
      const absl::StatusOr<CertificateInfo> info = ReadCertificate(host.certificate_pem);
      const bool of_it =
          info.ok() && CheckCertificate(host.certificate_pem, in_use_pem, info->not_before_unix_nanos).ok();
      if (!of_it) names.push_back(host.facts.host_name());
    }
    token = page.next_page_token;
  } while (!token.empty());
  return names;
}

}  // namespace

absl::StatusOr<std::string> ShowAuthorities(const std::filesystem::path& data, const Clock& clock) {
  CORDON_ASSIGN_OR_RETURN(const Standing now, Look(data, clock));
  return StrCat(Line("in use:  ", now.disk.in_use_pem, now.trust),
                Line("prepared:", now.disk.next_pem, now.trust),
                Line("old:     ", now.disk.old_pem, now.trust),
                now.trust.ca_pem().empty()
                    ? "the trust bundle names none: each host believes the one it enrolled with\n"
                    : "");
}

absl::StatusOr<std::string> PrepareCa(const std::filesystem::path& data, const Clock& clock) {
  CORDON_ASSIGN_OR_RETURN(const Standing now, Look(data, clock));
  CORDON_ASSIGN_OR_RETURN(const std::unique_ptr<Pki> pki, Pki::Load(PkiFolder(data), clock));
  CORDON_RETURN_IF_ERROR(PrepareAuthority(PkiFolder(data), pki->Organisation(), clock));
  const std::filesystem::path folder = PkiFolder(data);
  return StrCat(
      "prepared. Start the controller, and let hosts and operators believe both:\n  cordonctl trust ca ",
      (folder / "ca.crt").string(), " ", (folder / "ca-next.crt").string(),
      " --reason TEXT\nWhen every host has it (cordonctl orders show ID) and every operator has given an "
      "order or "
      "'cordonctl trust show' since, stop the controller: cordon-controller ca use\n");
}

absl::StatusOr<std::string> UseCa(const std::filesystem::path& data, const Clock& clock) {
  CORDON_ASSIGN_OR_RETURN(const Standing now, Look(data, clock));
  if (!now.disk.next_pem.empty() &&
      (!Names(now.trust, now.disk.next_pem) || !Names(now.trust, now.disk.in_use_pem))) {
    return absl::FailedPreconditionError(
        "the trust bundle in force does not name both CAs, so that hosts would not believe the controller "
        "any more: first "
        "cordonctl trust ca, see docs/install.md");
  }
  CORDON_RETURN_IF_ERROR(UseAuthority(PkiFolder(data)));
  return "the new CA is in use from the next start on, and certificates of the old one are believed. "
         "Enrolment files from "
         "before are void: make new ones. When every host and operator has a certificate of the new one "
         "(half of a host's 30 "
         "days; cordonctl operator renew): cordonctl trust ca NEW --reason TEXT, and then cordon-controller "
         "ca retire\n";
}

absl::StatusOr<std::string> RetireCa(const std::filesystem::path& data, const Clock& clock) {
  CORDON_ASSIGN_OR_RETURN(const Standing now, Look(data, clock));
  if (now.disk.old_pem.empty()) return absl::FailedPreconditionError("no old CA is there to be retired");
  if (Names(now.trust, now.disk.old_pem)) {
    return absl::FailedPreconditionError(
        "the trust bundle in force still names the old CA: first cordonctl trust ca with the new one alone");
  }
  CORDON_ASSIGN_OR_RETURN(const std::vector<std::string> others,
                          HostsOfOthers(*now.store, now.disk.in_use_pem));
  if (!others.empty()) {
    return absl::FailedPreconditionError(
        StrCat(others.size(), " hosts have no certificate of the new CA yet, ", Printable(others.front()),
               " among them: they renew at half of its time; revoke those that will not come back"));
  }
  CORDON_RETURN_IF_ERROR(RetireAuthority(PkiFolder(data)));
  return "the old CA is forgotten: its certificates open nothing from the next start on\n";
}

absl::StatusOr<std::string> NewLogKey(const std::filesystem::path& data, const Clock& clock) {
  CORDON_RETURN_IF_ERROR(Pki::RenewAuditKey(PkiFolder(data)));
  CORDON_ASSIGN_OR_RETURN(const std::unique_ptr<Pki> pki, Pki::Load(PkiFolder(data), clock));
  const std::string hex = HexEncode(pki->AuditLogPublicKey());
  return StrCat(
      "the audit log has another key from the next start on. Hosts obey again when the trust bundle names "
      "it:\n"
      "  cordonctl trust log-key ",
      hex, " --reason TEXT\n");
}

}  // namespace cordon::controller
