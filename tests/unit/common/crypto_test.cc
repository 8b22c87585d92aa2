#include <absl/strings/escaping.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "common/base/hex.h"
#include "common/base/strings.h"
#include "common/base/uuid.h"
#include "common/crypto/aead.h"
#include "common/crypto/digest.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/fingerprint.h"
#include "common/crypto/key.h"
#include "common/crypto/pem.h"
#include "common/crypto/x509.h"
#include "common/wire/enrollment_file.h"

namespace cordon {
namespace {

constexpr int64_t kNow = 1'700'000'000'000'000'000;
constexpr int64_t kDay = 86'400'000'000'000;

TEST(Sha256, MatchesFips180) {
  EXPECT_EQ(HexEncode(Sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256Stream, IsTheSameInParts) {
  Sha256Stream stream;
  stream.Update("a");
  stream.Update("bc");
  EXPECT_EQ(stream.Finish(), Sha256("abc"));
  stream.UpdateU32(0x61626364);
  EXPECT_EQ(stream.Finish(), Sha256("abcd"));
}

// Test case 16 of "The Galois/Counter Mode of Operation (GCM)", McGrew and Viega.
TEST(Aead, MatchesThePublishedCase) {
  const std::string key =
      HexDecode("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308").value();
  const std::string nonce = HexDecode("cafebabefacedbaddecaf888").value();
  const std::string known = HexDecode("feedfacedeadbeeffeedfacedeadbeefabaddad2").value();
  const std::string text = HexDecode(
                               "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                               "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39")
                               .value();
  const auto sealed = SealAead(key, nonce, known, text);
  ASSERT_TRUE(sealed.ok()) << sealed.status();
  EXPECT_EQ(HexEncode(*sealed),
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
            "76fc6ece0f4e1768cddf8853bb2d551b");
  EXPECT_EQ(OpenAead(key, nonce, known, *sealed).value(), text);
}

TEST(Aead, OpensNothingThatIsNotExactlyTheSame) {
  const std::string key(kAeadKeyBytes, 'k');
  const std::string nonce(kAeadNonceBytes, 'n');
  const std::string sealed = SealAead(key, nonce, "known", "").value();
  EXPECT_EQ(sealed.size(), kAeadTagBytes);
  EXPECT_EQ(OpenAead(key, nonce, "known", sealed).value(), "");
  EXPECT_TRUE(absl::IsDataLoss(OpenAead(key, nonce, "knowN", sealed).status()));
  EXPECT_TRUE(absl::IsDataLoss(OpenAead(key, std::string(kAeadNonceBytes, 'm'), "known", sealed).status()));
  EXPECT_TRUE(absl::IsDataLoss(OpenAead(std::string(kAeadKeyBytes, 'l'), nonce, "known", sealed).status()));
  EXPECT_TRUE(absl::IsDataLoss(OpenAead(key, nonce, "known", sealed.substr(1)).status()));
  EXPECT_TRUE(absl::IsDataLoss(OpenAead("short", nonce, "known", sealed).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(SealAead("short", nonce, "known", "text").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(SealAead(key, "short", "known", "text").status()));
}

TEST(Ed25519, AcceptsOnlyTheExactBytesDomainAndKey) {
  const KeyPtr key = *NewSigningKey();
  const KeyPtr other = *NewSigningKey();
  const std::string public_key = *RawPublicKey(*key);
  const std::string signature = *Sign(kOrderDomain, "isolate", *key);
  EXPECT_TRUE(Verify(kOrderDomain, "isolate", signature, public_key));
  EXPECT_FALSE(Verify(kOrderDomain, "isolatE", signature, public_key));
  EXPECT_FALSE(Verify(kTrustDomain, "isolate", signature, public_key));
  EXPECT_FALSE(Verify(kOrderDomain, "isolate", signature, *RawPublicKey(*other)));
  EXPECT_FALSE(Verify(kOrderDomain, "isolate", signature.substr(1), public_key));
  EXPECT_FALSE(Verify(kOrderDomain, "isolate", "", public_key));
}

TEST(Pem, RefusesCutText) {
  const std::string text =
      PemArmour("CORDON ENROLLMENT", "some bytes that are longer than one line of base64 text");
  EXPECT_EQ(*PemUnarmour("CORDON ENROLLMENT", text, 4096),
            "some bytes that are longer than one line of base64 text");
  EXPECT_FALSE(PemUnarmour("CORDON OPERATOR", text, 4096).ok());
  EXPECT_FALSE(PemUnarmour("CORDON ENROLLMENT", text.substr(0, text.size() - 10), 4096).ok());
  EXPECT_FALSE(PemUnarmour("CORDON ENROLLMENT", text, 10).ok());
}

TEST(PrivateKey, GoesThroughPem) {
  const KeyPtr key = *NewTlsKey();
  EXPECT_TRUE(PrivateKeyFromPem(*PrivateKeyToPem(*key)).ok());
  EXPECT_FALSE(PrivateKeyFromPem("rubbish").ok());
}

class Certificates : public ::testing::Test {
 protected:
  KeyPtr ca_key_ = *NewTlsKey();
  std::string ca_ = *MakeCaCertificate(*ca_key_, "vets.example", kNow, kNow + 100 * kDay);
  KeyPtr host_key_ = *NewTlsKey();
  CertificateRequest request_{.identity = {IdentityKind::kHost, "vets.example", NewUuid()},
                              .not_before_unix_nanos = kNow,
                              .not_after_unix_nanos = kNow + kDay};
};

TEST_F(Certificates, CarryTheIdentityTheCaChose) {
  const std::string leaf = *IssueFromCsr(*ca_key_, ca_, *MakeCsrDer(*host_key_), request_);
  const CertificateInfo info = *ReadCertificate(leaf);
  EXPECT_EQ(info.identity, request_.identity);
  EXPECT_EQ(info.not_after_unix_nanos, kNow + kDay);
  EXPECT_TRUE(CheckCertificate(leaf, ca_, kNow + 1).ok());
  EXPECT_TRUE(CheckKeyMatches(leaf, *host_key_).ok());
  EXPECT_FALSE(CheckKeyMatches(leaf, *ca_key_).ok());
}

TEST_F(Certificates, AreRefusedOutOfTimeOrFromAnotherCa) {
  const std::string leaf = *IssueForKey(*ca_key_, ca_, *host_key_, request_);
  EXPECT_FALSE(CheckCertificate(leaf, ca_, kNow - kDay).ok());
  EXPECT_FALSE(CheckCertificate(leaf, ca_, kNow + 2 * kDay).ok());
  const KeyPtr other_key = *NewTlsKey();
  const std::string other_ca = *MakeCaCertificate(*other_key, "vets.example", kNow, kNow + kDay);
  EXPECT_FALSE(CheckCertificate(leaf, other_ca, kNow + 1).ok());
}

// "No end" is written as the year 9999 (RFC 5280, 4.1.2.5), beyond what 64 bits of nanoseconds hold.
TEST_F(Certificates, AUT6_ThatHaveNoEndAreNotTakenForEnded) {
  const std::string leaf = *IssueForKey(*ca_key_, ca_, *host_key_, request_);
  BIO* const in = BIO_new_mem_buf(leaf.data(), static_cast<int>(leaf.size()));
  X509* const certificate = PEM_read_bio_X509(in, nullptr, nullptr, nullptr);
  BIO* const out = BIO_new(BIO_s_mem());
  ASSERT_EQ(ASN1_TIME_set_string(X509_getm_notAfter(certificate), "99991231235959Z"), 1);
  ASSERT_NE(X509_sign(certificate, ca_key_.get(), EVP_sha256()), 0);
  ASSERT_EQ(PEM_write_bio_X509(out, certificate), 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  const std::string endless(data, static_cast<size_t>(size));
  X509_free(certificate);
  BIO_free(in);
  BIO_free(out);
  EXPECT_GT(ReadCertificate(endless)->not_after_unix_nanos, kNow + 100 * 365 * kDay);
  EXPECT_TRUE(CheckCertificate(endless, ca_, kNow + 100 * 365 * kDay).ok());
}

// As `openssl x509 -fingerprint -sha256` prints it: of the certificate, not of the text that holds it.
TEST_F(Certificates, AFingerprintIsOfTheCertificateHoweverItIsWrittenDown) {
  std::string body(ca_.substr(ca_.find('\n') + 1));
  body.erase(body.find("-----END"));
  std::string der;
  ASSERT_TRUE(absl::Base64Unescape(body, &der));
  EXPECT_EQ(*CertificateSha256(ca_), Sha256(der));
  EXPECT_EQ(*CertificateSha256(StrCat("# the new one\n", ca_, "\n")), Sha256(der));
  EXPECT_FALSE(CertificateSha256("nonsense").ok());
}

TEST_F(Certificates, RequestsMustBeWholeAndSigned) {
  std::string csr = *MakeCsrDer(*host_key_);
  EXPECT_FALSE(IssueFromCsr(*ca_key_, ca_, csr.substr(0, csr.size() / 2), request_).ok());
  EXPECT_FALSE(IssueFromCsr(*ca_key_, ca_, csr + "x", request_).ok());
  csr.back() = static_cast<char>(csr.back() ^ 1);
  EXPECT_FALSE(IssueFromCsr(*ca_key_, ca_, csr, request_).ok());
}

TEST(Identity, RefusesWhatIsNotOurs) {
  for (const char* uri : {"", "http://vets.example/host/x", "spiffe://vets.example/host/not-a-uuid",
                          "spiffe://vets.example/admin/4c1b2a9e-8d5f-4f27-9d6b-0f6f7f1c2a3b",
                          "spiffe://Vets/host/4c1b2a9e-8d5f-4f27-9d6b-0f6f7f1c2a3b"}) {
    EXPECT_FALSE(ParseIdentity(uri).ok()) << uri;
  }
}

class EnrollmentFileTest : public ::testing::Test {
 protected:
  EnrollmentFileTest() {
    file_.set_format(1);
    file_.set_fleet_id(NewUuid());
    file_.set_enrollment_id(NewUuid());
    file_.add_controllers("controller.example:8443");
    file_.set_site("leeds");
    file_.set_token(std::string(32, 't'));
    file_.set_trust_bundle_sha256(std::string(32, 'h'));
    file_.set_ca_pem("ca");
    file_.set_bootstrap_certificate_pem("certificate");
    file_.set_bootstrap_key_pem("key");
  }
  v1::EnrollmentFile file_;
};

TEST_F(EnrollmentFileTest, GoesBothWays) {
  EXPECT_EQ(ReadEnrollmentFile(WriteEnrollmentFile(file_))->site(), "leeds");
}

TEST_F(EnrollmentFileTest, RefusesEveryCutAndEveryAlteredCharacter) {
  const std::string text = WriteEnrollmentFile(file_);
  const size_t end = text.find("-----END");
  for (size_t length = 0; length < end; ++length)
    EXPECT_FALSE(ReadEnrollmentFile(text.substr(0, length)).ok()) << length;
  for (size_t i = text.find('\n') + 1; i + 1 < end; ++i) {
    std::string altered = text;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    if (const auto file = ReadEnrollmentFile(altered); file.ok()) {
      EXPECT_EQ(file->SerializeAsString(), ReadEnrollmentFile(text)->SerializeAsString())
          << i;  // padding bits only
    }
  }
}

TEST_F(EnrollmentFileTest, NamesTheFieldThatIsOutOfBounds) {
  file_.set_site("Not A Site");
  EXPECT_NE(ReadEnrollmentFile(WriteEnrollmentFile(file_)).status().ToString().find("site"),
            std::string::npos);
}

}  // namespace
}  // namespace cordon
