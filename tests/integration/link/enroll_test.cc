#include "agent/link/enroll.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "agent/link/file_set.h"
#include "agent/link/unlock_key.h"
#include "agent/orders/trust_chain.h"
#include "common/wire/enrollment_file.h"
#include "platform/api/files.h"
#include "platform/api/system.h"
#include "tests/fakes/fake_clock.h"
#include "tests/integration/link/fake_gateway.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_orders.h"

namespace cordon::agent {
namespace {

using testing::FakeGateway;
using ::testing::HasSubstr;
using testing::Must;
using testing::TempFolder;
using testing::TestFleet;

class EnrollTest : public ::testing::Test {
 protected:
  EnrollTest() : gateway_(fleet_) { Must(platform::MakePrivateFolder(State())); }

  std::filesystem::path State() const { return folder_ / "state"; }

  absl::StatusOr<HostState> EnrollWith(const std::string& text, bool replace = false) {
    std::ofstream(folder_ / "leeds.enroll") << text;
    return Enroll({.file = folder_ / "leeds.enroll",
                   .state_dir = State(),
                   .replace = replace,
                   .facts = {},
                   .timeout = std::chrono::seconds(5)},
                  *clock_);
  }
  absl::StatusOr<HostState> EnrollWith(const v1::EnrollmentFile& file) {
    return EnrollWith(WriteEnrollmentFile(file));
  }

  v1::EnrollmentFile Good() const { return fleet_.MakeEnrollment(gateway_.Address()); }

  // Every failure leaves the folder as it was, and a good file still works afterwards (positive control).
  void ExpectRefused(const absl::StatusOr<HostState>& result, const std::string& message) {
    EXPECT_FALSE(result.ok());
    EXPECT_THAT(std::string(Message(result.status())), HasSubstr(message));
    EXPECT_TRUE(std::filesystem::is_empty(State()));
    gateway_.TamperWithEnrollment(nullptr);
    EXPECT_TRUE(EnrollWith(Good()).ok());
  }

  TestFleet fleet_;
  FakeGateway gateway_;
  TempFolder folder_;
  std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
};

TEST_F(EnrollTest, AUT1_AGoodFileLeavesAHostStateWithoutTokenOrBootstrapKey) {
  const v1::EnrollmentFile file = Good();
  const HostState enrolled = Must(EnrollWith(file));
  const HostState loaded = Must(LoadHostState(State()));
  EXPECT_EQ(loaded.identity.host_id, enrolled.identity.host_id);
  EXPECT_EQ(loaded.identity.fleet_id, fleet_.FleetId());
  EXPECT_EQ(loaded.identity.site, "leeds");
  ASSERT_EQ(loaded.identity.labels.size(), 1U);
  EXPECT_EQ(loaded.identity.labels[0].value(), "front-desk");
  EXPECT_EQ(loaded.credentials.key_pem, enrolled.credentials.key_pem);
  EXPECT_EQ(loaded.trust.bundle(), fleet_.Trust().bundle());

  const std::string kept = Must(platform::ReadFileBounded(State() / kEnrollmentFile, 1 << 20));
  EXPECT_THAT(kept, ::testing::Not(HasSubstr(file.token())));
  EXPECT_THAT(kept, ::testing::Not(HasSubstr("PRIVATE KEY")));
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(State() / kHostKeyFile).permissions(),
            perms::owner_read | perms::owner_write);
}

TEST_F(EnrollTest, AUT1_AClockThatIsWrongIsNamedBeforeAnythingIsSent) {
  const v1::EnrollmentFile file = Good();
  Must(EnrollWith(file));  // the control
  for (const int64_t years : {-10, 10}) {
    const testing::FakeClock wrong(WallNowNanos() + years * 365 * 24 * 3'600 * kNanosPerSecond);
    std::ofstream(folder_ / "skewed") << WriteEnrollmentFile(file);
    const absl::Status refused = Enroll({.file = folder_ / "skewed",
                                         .state_dir = folder_ / "other",
                                         .facts = {},
                                         .timeout = std::chrono::seconds(5)},
                                        wrong)
                                     .status();
    EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
    EXPECT_THAT(refused.message(), HasSubstr("set the clock"));
  }
}

TEST_F(EnrollTest, AUT5_MakesAnUnlockKeyWhosePrivateHalfStaysHere) {
  Must(EnrollWith(Good()));
  const UnlockKey key = Must(LoadOrMakeUnlockKey(State()));
  EXPECT_EQ(key.notice, "");
  EXPECT_EQ(gateway_.FactsEnrolled().unlock_public_key(), key.public_key);
  EXPECT_EQ(Must(LoadOrMakeUnlockKey(State())).public_key, key.public_key);
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(State() / kUnlockKeyFile).permissions(),
            perms::owner_read | perms::owner_write);
}

TEST_F(EnrollTest, AUT5_AHostOfAnOlderAgentMakesItsUnlockKeyLater) {
  Must(EnrollWith(Good()));
  std::filesystem::remove(State() / kUnlockKeyFile);
  const UnlockKey made = Must(LoadOrMakeUnlockKey(State()));
  EXPECT_EQ(made.notice, "");
  EXPECT_EQ(Must(LoadOrMakeUnlockKey(State())).public_key, made.public_key);
  std::ofstream(State() / kUnlockKeyFile) << "nonsense";
  const UnlockKey replaced = Must(LoadOrMakeUnlockKey(State()));
  EXPECT_THAT(replaced.notice, HasSubstr("was damaged"));
  EXPECT_NE(replaced.public_key, made.public_key);
  EXPECT_EQ(Must(LoadOrMakeUnlockKey(State())).notice, "");
}

TEST_F(EnrollTest, AnEnrolledHostIsNotEnrolledAgainUnlessAskedTo) {
  const HostState first = Must(EnrollWith(Good()));
  const auto second = EnrollWith(Good());
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status())) << second.status();
  EXPECT_EQ(Must(LoadHostState(State())).identity.host_id, first.identity.host_id);

  const HostState third = Must(EnrollWith(WriteEnrollmentFile(Good()), /*replace=*/true));
  EXPECT_EQ(Must(LoadHostState(State())).identity.host_id, third.identity.host_id);
  EXPECT_NE(third.identity.host_id, first.identity.host_id);
}

TEST_F(EnrollTest, ACutFileIsRefusedAtEveryLength) {
  const std::string whole = WriteEnrollmentFile(Good());
  for (size_t length = 0; length + 1 < whole.size(); length += 41) {
    const auto result = EnrollWith(whole.substr(0, length));
    EXPECT_TRUE(absl::IsInvalidArgument(result.status())) << length << ": " << result.status();
  }
  EXPECT_TRUE(std::filesystem::is_empty(State()));
  EXPECT_TRUE(EnrollWith(whole).ok());
}

TEST_F(EnrollTest, RandomBytesAreRefused) {
  std::mt19937 random(2);
  for (int i = 0; i < 50; ++i) {
    std::string bytes(random() % 5'000, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    EXPECT_TRUE(absl::IsInvalidArgument(EnrollWith(bytes).status()));
  }
  EXPECT_TRUE(std::filesystem::is_empty(State()));
}

TEST_F(EnrollTest, AnExpiredFileIsRefused) {
  v1::EnrollmentFile file = Good();
  file.set_expiry_unix_nanos(WallNowNanos() - kNanosPerSecond);
  ExpectRefused(EnrollWith(file), "expired");
}

TEST_F(EnrollTest, AControllerOfAnotherCaIsNotSpokenTo) {
  v1::EnrollmentFile file = Good();
  file.set_ca_pem(TestFleet().CaPem());
  ExpectRefused(EnrollWith(file), "no controller could be reached");
}

TEST_F(EnrollTest, ACertificateOfAnotherCaIsRefused) {
  const TestFleet other;
  gateway_.TamperWithEnrollment([&](v1::EnrollResponse& response) {
    response.set_certificate_pem(other.Issue(IdentityKind::kHost, response.host_id()).certificate_pem);
  });
  ExpectRefused(EnrollWith(Good()), "not signed by this fleet's CA");
}

TEST_F(EnrollTest, ACertificateForAnotherKeyIsRefused) {
  gateway_.TamperWithEnrollment([&](v1::EnrollResponse& response) {
    response.set_certificate_pem(fleet_.Issue(IdentityKind::kHost, response.host_id()).certificate_pem);
  });
  ExpectRefused(EnrollWith(Good()), "another key");
}

TEST_F(EnrollTest, ACertificateForAnotherHostIsRefused) {
  gateway_.TamperWithEnrollment([&](v1::EnrollResponse& response) { response.set_host_id(NewUuid()); });
  ExpectRefused(EnrollWith(Good()), "not the host that was enrolled");
}

TEST_F(EnrollTest, AUT3_ATrustBundleThatTheFileDoesNotNameIsRefused) {
  const TestFleet other;
  gateway_.TamperWithEnrollment(
      [&](v1::EnrollResponse& response) { *response.mutable_trust_bundle() = other.Trust(); });
  ExpectRefused(EnrollWith(Good()), "not the one that was pinned");
}

TEST_F(EnrollTest, ATrustBundleOfAnotherFleetIsRefusedEvenWhenTheFileNamesIt) {
  const TestFleet other;
  gateway_.TamperWithEnrollment(
      [&](v1::EnrollResponse& response) { *response.mutable_trust_bundle() = other.Trust(); });
  v1::EnrollmentFile file = Good();
  file.set_trust_bundle_sha256(Sha256(other.Trust().bundle()));
  ExpectRefused(EnrollWith(file), "another fleet");
}

// Operators changed the CA twice, and the host restarts before it has renewed: its certificate is of the one
// between.
TEST_F(EnrollTest, AUT1_ACertificateOfACaBetweenTwoChangesIsUsedUntilItIsRenewed) {
  const HostState enrolled = Must(EnrollWith(Good()));
  const auto make_ca = [&](EVP_PKEY& key) {
    return Must(MakeCaCertificate(key, fleet_.Organisation(), WallNowNanos() - TestFleet::kHour,
                                  WallNowNanos() + TestFleet::kHour));
  };
  const KeyPtr between = Must(NewTlsKey());
  const KeyPtr last = Must(NewTlsKey());
  CertificateRequest request;
  request.identity = {IdentityKind::kHost, fleet_.Organisation(), enrolled.identity.host_id};
  request.not_before_unix_nanos = WallNowNanos() - kNanosPerSecond;
  request.not_after_unix_nanos = WallNowNanos() + TestFleet::kHour;
  const std::string certificate = Must(IssueForKey(
      *between, make_ca(*between), *Must(PrivateKeyFromPem(enrolled.credentials.key_pem)), request));
  std::ofstream(State() / kHostCertificateFile) << certificate;
  EXPECT_TRUE(absl::IsDataLoss(LoadHostState(State()).status())) << "nobody has changed the CA";

  v1::TrustBundle bundle;
  ASSERT_TRUE(bundle.ParseFromString(fleet_.Trust().bundle()));
  bundle.set_version(3);
  bundle.add_ca_pem(make_ca(*last));
  v1::Order change = testing::BasicOrder(fleet_.FleetId());
  change.clear_target();
  change.mutable_target()->set_all(true);
  change.mutable_trust()->mutable_bundle()->set_bundle(bundle.SerializeAsString());
  v1::SignedOrder signed_order;
  signed_order.set_order(change.SerializeAsString());
  *signed_order.add_signatures() =
      Must(SignOrder(signed_order.order(), fleet_.OperatorId(), fleet_.OperatorKey()));
  std::ofstream(State() / kTrustOrderFile, std::ios::binary) << signed_order.SerializeAsString();
  const absl::StatusOr<HostState> loaded = LoadHostState(State());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->credentials.certificate_pem, certificate);
}

TEST_F(EnrollTest, TheNextControllerIsTriedWhenOneIsDown) {
  v1::EnrollmentFile file = Good();
  file.clear_controllers();
  file.add_controllers("127.0.0.1:1");
  file.add_controllers(gateway_.Address());
  EXPECT_TRUE(EnrollWith(file).ok());
}

TEST(FileSet, ACommittedReplacementIsFinishedAndAnUncommittedOneUndone) {
  const TempFolder folder;
  Must(ReplaceFilesTogether(folder.Path(), {{"a", "old"}, {"b", "old"}}));
  // As a power cut leaves it before the commit …
  std::ofstream(folder / "a.new") << "new";
  Must(FinishReplacingFiles(folder.Path()));
  EXPECT_EQ(Must(platform::ReadFileBounded(folder / "a", 10)), "old");
  EXPECT_FALSE(std::filesystem::exists(folder / "a.new"));
  // … and after it, with one of two renames done.
  std::ofstream(folder / "a") << "new";
  std::ofstream(folder / "b.new") << "new";
  std::ofstream(folder / ".replacing") << "a\nb\n";
  Must(FinishReplacingFiles(folder.Path()));
  EXPECT_EQ(Must(platform::ReadFileBounded(folder / "a", 10)), "new");
  EXPECT_EQ(Must(platform::ReadFileBounded(folder / "b", 10)), "new");
}

TEST(HostStateFiles, DamageIsNamedWithWhatToDo) {
  const TempFolder folder;
  EXPECT_TRUE(absl::IsFailedPrecondition(LoadHostState(folder.Path()).status()));
  std::ofstream(folder / kHostKeyFile) << "garbage";
  std::ofstream(folder / kHostCertificateFile) << "garbage";
  const auto state = LoadHostState(folder.Path());
  EXPECT_TRUE(absl::IsDataLoss(state.status()));
  EXPECT_THAT(std::string(Message(state.status())), HasSubstr("host.key"));
  EXPECT_THAT(std::string(Message(state.status())), HasSubstr("--replace"));
}

}  // namespace
}  // namespace cordon::agent
