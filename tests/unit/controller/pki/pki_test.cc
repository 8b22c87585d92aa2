#include "controller/pki/pki.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "common/base/uuid.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/x509.h"
#include "platform/api/files.h"
#include "tests/fakes/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_fleet.h"

namespace cordon::controller {
namespace {

namespace fs = std::filesystem;
using testing::Fails;
using testing::FakeClock;
using testing::IsOk;
using testing::Must;
using testing::TempFolder;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr int64_t kHour = 3'600 * kNanosPerSecond;

// A made CA in a folder of its own.
struct Fixture {
  TempFolder folder;
  fs::path at = folder / "pki";
  FakeClock clock{WallNowNanos()};
  std::string fleet = NewUuid();
  PkiOptions options{fleet, fleet + ".cordon", {"controller.test", "127.0.0.1"}};

  Fixture() { Must(Pki::Create(at, options, clock)); }

  std::unique_ptr<Pki> Load() { return Must(Pki::Load(at, clock)); }
  absl::Status TryLoad() { return Pki::Load(at, clock).status(); }
  std::string Read(const std::string& name) { return Must(platform::ReadFileBounded(at / name, 1 << 20)); }
  void Write(const std::string& name, const std::string& text) {
    Must(platform::WriteFileDurably(at / name, text, platform::FileAccess::kOwnerOnly));
  }
};

// Certificates have whole seconds.
bool AreASecondApart(int64_t a, int64_t b) {
  return a - b <= kNanosPerSecond && b - a <= kNanosPerSecond;
}

bool IsPair(const std::string& certificate_pem, const std::string& key_pem) {
  return CheckKeyMatches(certificate_pem, *Must(PrivateKeyFromPem(key_pem))).ok();
}

TEST(Pki, IsMadeForItsOwnerAloneAndOnce) {
  Fixture f;
  EXPECT_EQ(fs::status(f.at).permissions(), fs::perms::owner_all);
  std::set<std::string> names;
  for (const fs::directory_entry& file : fs::directory_iterator(f.at)) {
    EXPECT_EQ(file.status().permissions(), fs::perms::owner_read | fs::perms::owner_write) << file.path();
    names.insert(file.path().filename().string());
  }
  EXPECT_EQ(names, std::set<std::string>(
                       {"audit.key", "fleet.toml", "ca.key", "ca.crt", "controller.key", "controller.crt"}));
  EXPECT_THAT(Pki::Create(f.at, f.options, f.clock),
              Fails(absl::StatusCode::kAlreadyExists, "is there already"));
}

TEST(Pki, IsNotMadeOfBadNames) {
  TempFolder folder;
  const FakeClock clock(WallNowNanos());
  const std::string fleet = NewUuid();
  EXPECT_THAT(Pki::Create(folder / "pki", {fleet, fleet + ".cordon", {"No Name"}}, clock),
              Fails(kInvalid, "No Name"));
  EXPECT_FALSE(fs::exists(folder / "pki"));
}

TEST(Pki, TheControllersCertificateIsOfTheCaAndItsKey) {
  Fixture f;
  const auto pki = f.Load();
  EXPECT_EQ(pki->FleetId(), f.fleet);
  EXPECT_EQ(pki->Organisation(), f.fleet + ".cordon");
  EXPECT_EQ(pki->Names(), f.options.names);
  const CertificateInfo info = Must(ReadCertificate(pki->ControllerCertificatePem()));
  EXPECT_EQ(info.identity.kind, IdentityKind::kController);
  EXPECT_EQ(info.identity.organisation, pki->Organisation());
  EXPECT_THAT(CheckCertificate(pki->ControllerCertificatePem(), pki->CaPem(), f.clock.WallNanos()), IsOk());
  EXPECT_TRUE(IsPair(pki->ControllerCertificatePem(), pki->ControllerKeyPem()));
}

TEST(Pki, AHostGetsACertificateForItsOwnKeyAndTheIdThatTheCaChooses) {
  Fixture f;
  const auto pki = f.Load();
  const KeyPtr key = Must(NewTlsKey());
  const std::string host_id = NewUuid();
  const IssuedCertificate issued = Must(pki->IssueHost(Must(MakeCsrDer(*key)), host_id));
  const CertificateInfo info = Must(ReadCertificate(issued.pem));
  EXPECT_EQ(info.identity, (Identity{IdentityKind::kHost, pki->Organisation(), host_id}));
  EXPECT_THAT(CheckKeyMatches(issued.pem, *key), IsOk());
  EXPECT_THAT(CheckCertificate(issued.pem, pki->CaPem(), f.clock.WallNanos()), IsOk());
  EXPECT_EQ(issued.serial_hex, info.serial_hex);
  EXPECT_EQ(issued.not_before_unix_nanos, info.not_before_unix_nanos);
  EXPECT_EQ(issued.not_after_unix_nanos, info.not_after_unix_nanos);
  EXPECT_TRUE(AreASecondApart(info.not_after_unix_nanos, f.clock.WallNanos() + kHostCertificateNanos));
}

// A short one is not half over when it is given out: hosts renew at half.
TEST(Pki, AHostsCertificateLastsAsLongAsTheControllerIsTold) {
  Fixture f;
  for (const int64_t length : {60 * kNanosPerSecond, 20 * kHour, 90 * kDayNanos}) {
    const auto pki = Must(Pki::Load(f.at, f.clock, length));
    const IssuedCertificate issued = Must(pki->IssueHost(Must(MakeCsrDer(*Must(NewTlsKey()))), NewUuid()));
    EXPECT_TRUE(AreASecondApart(issued.not_after_unix_nanos, f.clock.WallNanos() + length));
    const int64_t middle = (issued.not_before_unix_nanos + issued.not_after_unix_nanos) / 2;
    EXPECT_GT(middle - f.clock.WallNanos(), length / 3);
  }
}

// Hosts whose clock is behind by less than an hour can use it at once; it ends with its time.
TEST(Pki, ACertificateBeginsAnHourAgoAndEndsWithItsTime) {
  Fixture f;
  const auto pki = f.Load();
  const std::string pem = Must(pki->IssueHost(Must(MakeCsrDer(*Must(NewTlsKey()))), NewUuid())).pem;
  const int64_t now = f.clock.WallNanos();
  EXPECT_THAT(CheckCertificate(pem, pki->CaPem(), now - kHour + kNanosPerSecond), IsOk());
  EXPECT_FALSE(CheckCertificate(pem, pki->CaPem(), now - kHour - kNanosPerSecond).ok());
  EXPECT_FALSE(CheckCertificate(pem, pki->CaPem(), now + kHostCertificateNanos + kNanosPerSecond).ok());
}

TEST(Pki, EveryCertificateHasASerialOfItsOwn) {
  Fixture f;
  const auto pki = f.Load();
  const std::string csr = Must(MakeCsrDer(*Must(NewTlsKey())));
  const std::string host_id = NewUuid();
  std::set<std::string> serials;
  for (int i = 0; i < 20; ++i) serials.insert(Must(pki->IssueHost(csr, host_id)).serial_hex);
  EXPECT_EQ(serials.size(), 20U);
}

TEST(Pki, ABadRequestGetsNoCertificate) {
  Fixture f;
  const auto pki = f.Load();
  const std::string good = Must(MakeCsrDer(*Must(NewTlsKey())));
  std::string altered = good;
  altered.back() ^= 1;  // its own signature does not fit any more
  for (const std::string& bad : {std::string(), std::string("csr"), good.substr(0, good.size() / 2),
                                 good + "x", std::string(16 * 1024 + 1, 'x'), altered}) {
    EXPECT_THAT(pki->IssueHost(bad, NewUuid()), Fails(kInvalid, "request"));
  }
  EXPECT_FALSE(pki->IssueHost(good, "no uuid").ok());
  EXPECT_THAT(pki->IssueHost(good, NewUuid()), IsOk());  // the positive control
}

TEST(Pki, ABootstrapPairEndsWithItsEnrolment) {
  Fixture f;
  const auto pki = f.Load();
  const std::string id = NewUuid();
  const int64_t end = f.clock.WallNanos() + 5 * kHour;
  const IssuedKeyPair pair = Must(pki->IssueBootstrap(id, end));
  EXPECT_EQ(Must(ReadCertificate(pair.certificate.pem)).identity,
            (Identity{IdentityKind::kBootstrap, pki->Organisation(), id}));
  EXPECT_TRUE(IsPair(pair.certificate.pem, pair.key_pem));
  EXPECT_LE(pair.certificate.not_after_unix_nanos, end);
  EXPECT_THAT(pki->IssueBootstrap(id, f.clock.WallNanos()), Fails(kInvalid, "before it begins"));
}

TEST(Pki, AnOperatorsCertificateIsForAYearAndForTheKeyThatAsks) {
  Fixture f;
  const auto pki = f.Load();
  const std::string id = NewUuid();
  const KeyPtr key = Must(NewTlsKey());
  for (const IssuedCertificate& issued :
       {Must(pki->IssueOperator(id, *key)),
        Must(pki->IssueOperator(id, Must(MakeCsrDer(*key)), f.clock.WallNanos()))}) {
    EXPECT_EQ(Must(ReadCertificate(issued.pem)).identity,
              (Identity{IdentityKind::kOperator, pki->Organisation(), id}));
    EXPECT_TRUE(CheckKeyMatches(issued.pem, *key).ok());
    EXPECT_TRUE(
        AreASecondApart(issued.not_after_unix_nanos, f.clock.WallNanos() + kOperatorCertificateNanos));
  }
  EXPECT_FALSE(pki->IssueOperator("alex", *key).ok());
  EXPECT_FALSE(pki->IssueOperator(id, "no request", f.clock.WallNanos()).ok());
}

TEST(Pki, AnOperatorsCertificateEndsAYearAfterItsRequestWhenItIsIssuedLater) {
  Fixture f;
  const auto pki = f.Load();
  const int64_t now = f.clock.WallNanos();
  const std::string csr = Must(MakeCsrDer(*Must(NewTlsKey())));
  const auto end = [&](int64_t made) {
    return Must(pki->IssueOperator(NewUuid(), csr, made)).not_after_unix_nanos;
  };
  EXPECT_TRUE(AreASecondApart(end(now - 300 * kDayNanos), now + 65 * kDayNanos));
  EXPECT_TRUE(AreASecondApart(end(now + 300 * kDayNanos), now + 365 * kDayNanos)) << "a clock that is ahead";
  EXPECT_THAT(pki->IssueOperator(NewUuid(), csr, now - 365 * kDayNanos), Fails(kInvalid, "too old"));
}

TEST(Pki, TheAuditLogHasAKeyOfItsOwnThatStays) {
  Fixture f;
  const std::string first = f.Load()->AuditLogPublicKey();
  EXPECT_EQ(first.size(), 32U);
  const auto pki = f.Load();
  EXPECT_EQ(pki->AuditLogPublicKey(), first);
  EXPECT_TRUE(Verify("d", "bytes", Must(Sign("d", "bytes", pki->AuditLogKey())), first));
  EXPECT_EQ(fs::status(f.at / "audit.key").permissions(), fs::perms::owner_read | fs::perms::owner_write);
  // A fleet that was made before there was one gets one.
  fs::remove(f.at / "audit.key");
  const std::string second = f.Load()->AuditLogPublicKey();
  EXPECT_NE(second, first);
  EXPECT_EQ(f.Load()->AuditLogPublicKey(), second);
  // Another kind of key, and one that others may read, are refused.
  f.Write("audit.key", f.Read("controller.key"));
  EXPECT_THAT(f.TryLoad(), Fails(kInvalid, "audit.key"));
}

TEST(Pki, TheControllersCertificateIsRenewedAtHalfOfItsTimeAndNotBefore) {
  Fixture f;
  const std::string first = f.Load()->ControllerCertificatePem();
  f.clock.Advance(kControllerCertificateNanos / 2 - 2 * kNanosPerSecond);
  EXPECT_EQ(f.Load()->ControllerCertificatePem(), first);
  f.clock.Advance(4 * kNanosPerSecond);
  const auto renewed = f.Load();
  EXPECT_NE(renewed->ControllerCertificatePem(), first);
  EXPECT_THAT(CheckCertificate(renewed->ControllerCertificatePem(), renewed->CaPem(), f.clock.WallNanos()),
              IsOk());
  EXPECT_EQ(f.Load()->ControllerCertificatePem(), renewed->ControllerCertificatePem());  // it was kept
}

TEST(Pki, APairThatACrashLeftUnmatchedIsMadeAnew) {
  Fixture f;
  f.Write("controller.key", Must(PrivateKeyToPem(*Must(NewTlsKey()))));
  const auto pki = f.Load();
  EXPECT_TRUE(IsPair(pki->ControllerCertificatePem(), pki->ControllerKeyPem()));
}

TEST(Pki, AControllersCertificateOfAnotherCaIsRefused) {
  Fixture f;
  Fixture other;
  f.Write("controller.key", other.Read("controller.key"));
  f.Write("controller.crt", other.Read("controller.crt"));
  EXPECT_THAT(f.TryLoad(), Fails(absl::StatusCode::kPermissionDenied, "not signed by this fleet's CA"));
}

TEST(Pki, AKeyThatOthersCanReadIsRefusedWithWhatToDo) {
  Fixture f;
  for (const std::string name : {"ca.key", "controller.key", "fleet.toml"}) {
    fs::permissions(f.at / name, fs::perms::group_read, fs::perm_options::add);
    EXPECT_THAT(f.TryLoad(), Fails(kPrecondition, "chmod 600 " + (f.at / name).string()));
    fs::permissions(f.at / name, fs::perms::group_read, fs::perm_options::remove);
  }
  EXPECT_THAT(f.TryLoad(), IsOk());  // the positive control
}

TEST(Pki, AMissingFileIsNamed) {
  for (const std::string name : {"fleet.toml", "ca.key", "ca.crt", "controller.key", "controller.crt"}) {
    Fixture f;
    fs::remove(f.at / name);
    EXPECT_THAT(f.TryLoad(), Fails(absl::StatusCode::kNotFound, (f.at / name).string()));
  }
}

TEST(Pki, ADamagedFileIsNamed) {
  for (const std::string name : {"fleet.toml", "ca.key", "controller.key", "controller.crt"}) {
    Fixture f;
    f.Write(name, "damaged");
    EXPECT_THAT(f.TryLoad(), Fails(kInvalid, (f.at / name).string()));
  }
  Fixture f;
  f.Write("ca.crt", "damaged");
  EXPECT_THAT(f.TryLoad(), Fails(kPrecondition, "put back both from a backup"));
}

TEST(Pki, ACaKeyOfAnotherFleetIsRefused) {
  Fixture f;
  Fixture other;
  f.Write("ca.key", other.Read("ca.key"));
  EXPECT_THAT(f.TryLoad(), Fails(kPrecondition, "do not belong together"));
}

}  // namespace
}  // namespace cordon::controller
