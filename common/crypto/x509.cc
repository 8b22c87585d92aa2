#include "common/crypto/x509.h"

#include <absl/strings/str_split.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <limits>

#include "common/base/hex.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/crypto/certificate_pem.h"
#include "common/crypto/digest.h"
#include "common/crypto/random.h"

namespace cordon {
namespace {

using BioPtr = OpenSslPtr<BIO, BIO_free_all>;
using X509Ptr = OpenSslPtr<X509, X509_free>;
using RequestPtr = OpenSslPtr<X509_REQ, X509_REQ_free>;
using ExtensionPtr = OpenSslPtr<X509_EXTENSION, X509_EXTENSION_free>;
using BignumPtr = OpenSslPtr<BIGNUM, BN_free>;
using NamesPtr = OpenSslPtr<GENERAL_NAMES, GENERAL_NAMES_free>;

constexpr int64_t kSecond = 1'000'000'000;
constexpr std::string_view kScheme = "spiffe://";

struct KindName {
  IdentityKind kind;
  std::string_view name;
};
constexpr std::array<KindName, 4> kKinds = {{{IdentityKind::kHost, "host"},
                                             {IdentityKind::kOperator, "operator"},
                                             {IdentityKind::kBootstrap, "bootstrap"},
                                             {IdentityKind::kController, "controller"}}};

bool IsHostName(std::string_view text) {
  return !text.empty() && text.size() <= 253 &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") == std::string_view::npos;
}

// Every certificate in `pem`, 1 to kMaxAuthorities.
absl::StatusOr<std::vector<X509Ptr>> ParseAuthorities(std::string_view pem) {
  if (pem.size() > kMaxAuthorities * kMaxAuthorityBytes) {
    return absl::InvalidArgumentError("the CA certificates are too long");
  }
  BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::vector<X509Ptr> all;
  while (bio && all.size() <= kMaxAuthorities) {
    X509Ptr one(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!one) break;
    all.push_back(std::move(one));
  }
  ClearOpenSslErrors();
  if (all.empty()) return absl::InvalidArgumentError("not a CA certificate in PEM form");
  if (all.size() > kMaxAuthorities) return absl::InvalidArgumentError("too many CA certificates");
  return all;
}

absl::StatusOr<std::string> ToPem(X509& certificate) {
  BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), &certificate) != 1)
    return OpenSslError("cannot write a certificate as PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

bool AddExtension(X509& certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, &certificate, nullptr, nullptr, 0);
  ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && X509_add_ext(&certificate, extension.get(), -1) == 1;
}

bool SetSerial(X509& certificate) {
  std::string bytes = RandomBytes(16);
  bytes[0] = static_cast<char>((bytes[0] & 0x3f) | 0x40);  // positive, and always 16 bytes long
  BignumPtr number(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                             static_cast<int>(bytes.size()), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&certificate)) != nullptr;
}

bool SetTimes(X509& certificate, int64_t not_before, int64_t not_after) {
  return ASN1_TIME_set(X509_getm_notBefore(&certificate), not_before / kSecond) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(&certificate), not_after / kSecond) != nullptr;
}

bool SetName(X509_NAME* name, std::string_view organisation, std::string_view common_name) {
  const auto add = [&](const char* field, std::string_view value) {
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(value.data()),
                                      static_cast<int>(value.size()), -1, 0) == 1;
  };
  return add("O", organisation) && add("CN", common_name);
}

absl::StatusOr<std::string> AlternativeNames(const CertificateRequest& request) {
  std::string names = StrCat("URI:", FormatIdentity(request.identity));
  for (const std::string& name : request.dns_names) {
    if (!IsHostName(name)) {
      return absl::InvalidArgumentError(StrCat("'", Printable(name), "' is not a DNS name in lower case"));
    }
    StrAppend(&names, ",DNS:", name);
  }
  for (const std::string& address : request.ip_addresses) {
    if (address.find_first_not_of("0123456789abcdefABCDEF.:") != std::string::npos) {
      return absl::InvalidArgumentError(StrCat("'", Printable(address), "' is not an IP address"));
    }
    StrAppend(&names, ",IP:", address);
  }
  return names;
}

bool IsP256(const EVP_PKEY& key) {
  std::array<char, 64> group{};
  size_t size = 0;
  return EVP_PKEY_is_a(&key, "EC") == 1 &&
         EVP_PKEY_get_group_name(&key, group.data(), group.size(), &size) == 1 &&
         std::string_view(group.data(), size) == "prime256v1";
}

absl::StatusOr<int64_t> ToUnixNanos(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return OpenSslError("a certificate has an unreadable time");
  const std::chrono::sys_days day = std::chrono::year(parts.tm_year + 1900) /
                                    std::chrono::month(static_cast<unsigned>(parts.tm_mon + 1)) /
                                    std::chrono::day(static_cast<unsigned>(parts.tm_mday));
  const int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(day.time_since_epoch()).count() +
                          parts.tm_hour * 3600 + parts.tm_min * 60 + parts.tm_sec;
  // "No end" is written as the year 9999 (RFC 5280), which 64 bits of nanoseconds do not hold: as far as they
  // go. Not before 1970, so that no difference of two times overflows either.
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / kSecond;
  return std::clamp<int64_t>(seconds, 0, kMost) * kSecond;
}

}  // namespace

std::string FormatIdentity(const Identity& identity) {
  for (const KindName& entry : kKinds) {
    if (entry.kind == identity.kind) {
      return StrCat(kScheme, identity.organisation, "/", entry.name, "/", identity.id);
    }
  }
  return {};
}

absl::StatusOr<Identity> ParseIdentity(std::string_view uri) {
  const auto fail = [&] {
    return absl::InvalidArgumentError(
        StrCat("'", Printable(uri.substr(0, 200)), "' is not spiffe://ORGANISATION/KIND/UUID"));
  };
  if (uri.size() > 400 || !uri.starts_with(kScheme)) return fail();
  const std::vector<std::string> parts = absl::StrSplit(std::string(uri.substr(kScheme.size())), '/');
  if (parts.size() != 3 || !IsHostName(parts[0]) || !IsUuid(parts[2])) return fail();
  for (const KindName& entry : kKinds) {
    if (entry.name == parts[1]) return Identity{entry.kind, parts[0], parts[2]};
  }
  return fail();
}

absl::StatusOr<std::string> MakeCaCertificate(EVP_PKEY& key, std::string_view organisation,
                                              int64_t not_before_unix_nanos, int64_t not_after_unix_nanos) {
  if (!IsHostName(organisation))
    return absl::InvalidArgumentError("the organisation is not a name like vets.example");
  X509Ptr certificate(X509_new());
  if (!certificate || X509_set_version(certificate.get(), X509_VERSION_3) != 1 || !SetSerial(*certificate) ||
      !SetTimes(*certificate, not_before_unix_nanos, not_after_unix_nanos) ||
      !SetName(X509_get_subject_name(certificate.get()), organisation, "Cordon CA") ||
      X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get())) != 1 ||
      X509_set_pubkey(certificate.get(), &key) != 1 ||
      !AddExtension(*certificate, certificate.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !AddExtension(*certificate, certificate.get(), NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !AddExtension(*certificate, certificate.get(), NID_subject_key_identifier, "hash") ||
      X509_sign(certificate.get(), &key, EVP_sha256()) == 0) {
    return OpenSslError("cannot make the CA certificate");
  }
  return ToPem(*certificate);
}

absl::StatusOr<std::string> MakeCsrDer(EVP_PKEY& key) {
  RequestPtr request(X509_REQ_new());
  if (!request || X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
      X509_REQ_set_pubkey(request.get(), &key) != 1 ||
      X509_REQ_sign(request.get(), &key, EVP_sha256()) == 0) {
    return OpenSslError("cannot make a certificate request");
  }
  unsigned char* der = nullptr;
  const int size = i2d_X509_REQ(request.get(), &der);
  if (size <= 0) return OpenSslError("cannot write a certificate request");
  std::string bytes(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return bytes;
}

namespace {

// A request that is signed by its own key.
absl::StatusOr<RequestPtr> ReadCsr(std::string_view csr_der) {
  if (csr_der.size() > 16 * 1024)
    return absl::InvalidArgumentError("the certificate request is longer than 16 KiB");
  const auto* der = reinterpret_cast<const unsigned char*>(csr_der.data());
  const auto* const end = der + csr_der.size();
  RequestPtr csr(d2i_X509_REQ(nullptr, &der, static_cast<long>(csr_der.size())));
  EVP_PKEY* key = csr && der == end ? X509_REQ_get0_pubkey(csr.get()) : nullptr;
  if (key == nullptr || X509_REQ_verify(csr.get(), key) != 1) {
    ClearOpenSslErrors();
    return absl::InvalidArgumentError("the certificate request is malformed or not signed by its own key");
  }
  return csr;
}

}  // namespace

absl::StatusOr<std::string> KeySha256OfCsr(std::string_view csr_der) {
  CORDON_ASSIGN_OR_RETURN(const RequestPtr csr, ReadCsr(csr_der));
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(X509_REQ_get0_pubkey(csr.get()), &der);
  if (size <= 0) return OpenSslError("cannot write a public key");
  std::string hash = Sha256({reinterpret_cast<const char*>(der), static_cast<size_t>(size)});
  OPENSSL_free(der);
  return hash;
}

absl::StatusOr<std::string> IssueFromCsr(EVP_PKEY& ca_key, std::string_view ca_pem, std::string_view csr_der,
                                         const CertificateRequest& request) {
  CORDON_ASSIGN_OR_RETURN(const RequestPtr csr, ReadCsr(csr_der));
  return IssueForKey(ca_key, ca_pem, *X509_REQ_get0_pubkey(csr.get()), request);
}

absl::StatusOr<std::string> IssueForKey(EVP_PKEY& ca_key, std::string_view ca_pem, EVP_PKEY& key,
                                        const CertificateRequest& request) {
  if (!IsP256(key)) return absl::InvalidArgumentError("the key is not a P-256 key");
  CORDON_ASSIGN_OR_RETURN(const X509Ptr ca, FirstCertificate(ca_pem));
  CORDON_ASSIGN_OR_RETURN(const std::string names, AlternativeNames(request));
  CORDON_RETURN_IF_ERROR(ParseIdentity(FormatIdentity(request.identity)).status());
  X509Ptr leaf(X509_new());
  if (!leaf || X509_set_version(leaf.get(), X509_VERSION_3) != 1 || !SetSerial(*leaf) ||
      !SetTimes(*leaf, request.not_before_unix_nanos, request.not_after_unix_nanos) ||
      !SetName(X509_get_subject_name(leaf.get()), request.identity.organisation, request.identity.id) ||
      X509_set_issuer_name(leaf.get(), X509_get_subject_name(ca.get())) != 1 ||
      X509_set_pubkey(leaf.get(), &key) != 1 ||
      !AddExtension(*leaf, ca.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !AddExtension(*leaf, ca.get(), NID_key_usage, "critical,digitalSignature") ||
      !AddExtension(*leaf, ca.get(), NID_ext_key_usage,
                    request.identity.kind == IdentityKind::kController ? "serverAuth" : "clientAuth") ||
      !AddExtension(*leaf, ca.get(), NID_authority_key_identifier, "keyid") ||
      !AddExtension(*leaf, ca.get(), NID_subject_alt_name, names) ||
      X509_sign(leaf.get(), &ca_key, EVP_sha256()) == 0) {
    return OpenSslError("cannot issue a certificate");
  }
  return ToPem(*leaf);
}

absl::StatusOr<CertificateInfo> ReadCertificate(std::string_view pem) {
  CORDON_ASSIGN_OR_RETURN(const X509Ptr certificate, FirstCertificate(pem));
  CertificateInfo info;
  NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
  int uris = 0;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    ++uris;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    CORDON_ASSIGN_OR_RETURN(info.identity,
                            ParseIdentity({reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                                           static_cast<size_t>(ASN1_STRING_length(uri))}));
  }
  if (uris != 1) return absl::InvalidArgumentError("the certificate does not name exactly one identity");
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate.get());
  info.serial_hex = HexEncode({reinterpret_cast<const char*>(ASN1_STRING_get0_data(serial)),
                               static_cast<size_t>(ASN1_STRING_length(serial))});
  CORDON_ASSIGN_OR_RETURN(info.not_before_unix_nanos, ToUnixNanos(X509_get0_notBefore(certificate.get())));
  CORDON_ASSIGN_OR_RETURN(info.not_after_unix_nanos, ToUnixNanos(X509_get0_notAfter(certificate.get())));
  return info;
}

absl::Status CheckCertificate(std::string_view pem, std::string_view ca_pem, int64_t now_unix_nanos) {
  CORDON_ASSIGN_OR_RETURN(const X509Ptr certificate, FirstCertificate(pem));
  CORDON_ASSIGN_OR_RETURN(const std::vector<X509Ptr> authorities, ParseAuthorities(ca_pem));
  const bool issued = std::ranges::any_of(authorities, [&](const X509Ptr& ca) {
    return X509_verify(certificate.get(), X509_get0_pubkey(ca.get())) == 1;
  });
  ClearOpenSslErrors();
  if (!issued) return absl::PermissionDeniedError("the certificate is not signed by this fleet's CA");
  CORDON_ASSIGN_OR_RETURN(const int64_t not_before, ToUnixNanos(X509_get0_notBefore(certificate.get())));
  CORDON_ASSIGN_OR_RETURN(const int64_t not_after, ToUnixNanos(X509_get0_notAfter(certificate.get())));
  if (now_unix_nanos < not_before || now_unix_nanos > not_after) {
    return absl::PermissionDeniedError(StrCat("the certificate is valid from ", FormatTime(not_before),
                                              " to ", FormatTime(not_after), " and the clock says ",
                                              FormatTime(now_unix_nanos)));
  }
  return absl::OkStatus();
}

absl::Status CheckAuthority(std::string_view pem) {
  if (pem.size() > kMaxAuthorityBytes) {
    return absl::InvalidArgumentError(StrCat("longer than ", kMaxAuthorityBytes, " bytes"));
  }
  CORDON_ASSIGN_OR_RETURN(const std::vector<X509Ptr> authorities, ParseAuthorities(pem));
  if (authorities.size() != 1) return absl::InvalidArgumentError("more than one certificate");
  if (X509_check_ca(authorities.front().get()) == 1) return absl::OkStatus();
  ClearOpenSslErrors();
  return absl::InvalidArgumentError("the certificate is not one of a CA");
}

absl::Status CheckKeyMatches(std::string_view pem, const EVP_PKEY& key) {
  CORDON_ASSIGN_OR_RETURN(const X509Ptr certificate, FirstCertificate(pem));
  if (X509_check_private_key(certificate.get(), &key) != 1) {
    ClearOpenSslErrors();
    return absl::InvalidArgumentError("the certificate is for another key");
  }
  return absl::OkStatus();
}

}  // namespace cordon
