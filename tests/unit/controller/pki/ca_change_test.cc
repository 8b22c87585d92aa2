#include "controller/pki/ca_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/base/uuid.h"
#include "common/crypto/x509.h"
#include "controller/pki/pki.h"
#include "platform/api/files.h"
#include "tests/fakes/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_fleet.h"

namespace cordon::controller {
namespace {

namespace fs = std::filesystem;
using testing::Fails;
using testing::IsOk;
using testing::Must;

constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

class CaChangeTest : public ::testing::Test {
 protected:
  CaChangeTest() { Must(Pki::Create(at_, options_, clock_)); }

  std::unique_ptr<Pki> Load() { return Must(Pki::Load(at_, clock_)); }
  absl::Status Prepare() { return PrepareAuthority(at_, options_.organisation, clock_); }
  std::string HostCertificate(const Pki& pki) {
    return Must(pki.IssueHost(Must(MakeCsrDer(*Must(NewTlsKey()))), NewUuid())).pem;
  }
  bool IsOf(const std::string& certificate, const std::string& ca_pem) {
    return CheckCertificate(certificate, ca_pem, clock_.WallNanos()).ok();
  }
  std::string Read(const std::string& name) { return Must(platform::ReadFileBounded(at_ / name, 1 << 20)); }
  void Write(const std::string& name, const std::string& text) {
    Must(platform::WriteFileDurably(at_ / name, text, platform::FileAccess::kOwnerOnly));
  }

  testing::TempFolder folder_;
  fs::path at_ = folder_ / "pki";
  testing::FakeClock clock_{WallNowNanos()};
  std::string fleet_ = NewUuid();
  PkiOptions options_{fleet_, fleet_ + ".cordon", {"controller.test"}};
};

TEST_F(CaChangeTest, OneThatIsPreparedChangesNothingYet) {
  const std::string before = Load()->CaPem();
  ASSERT_THAT(Prepare(), IsOk());
  const auto pki = Load();
  EXPECT_EQ(pki->CaPem(), before);
  EXPECT_EQ(pki->BelievedCaPem(), before);
  EXPECT_NE(Must(ReadAuthorities(at_)).next_pem, "");
  EXPECT_THAT(Prepare(), Fails(absl::StatusCode::kAlreadyExists, "prepared already"));
}

TEST_F(CaChangeTest, InUseItIssuesEverythingAndTheOldOneIsStillBelieved) {
  const auto before = Load();
  const std::string old_host = HostCertificate(*before);
  ASSERT_THAT(Prepare(), IsOk());
  ASSERT_THAT(UseAuthority(at_), IsOk());
  const auto after = Load();
  EXPECT_NE(after->CaPem(), before->CaPem());
  EXPECT_TRUE(IsOf(HostCertificate(*after), after->CaPem()));
  EXPECT_FALSE(IsOf(HostCertificate(*after), before->CaPem()));
  EXPECT_TRUE(IsOf(after->ControllerCertificatePem(), after->CaPem())) << "the controller's own is made anew";
  EXPECT_TRUE(IsOf(old_host, after->BelievedCaPem()));
  EXPECT_FALSE(IsOf(old_host, after->CaPem()));
  EXPECT_THAT(Prepare(), Fails(kPrecondition, "retire comes first"));

  ASSERT_THAT(RetireAuthority(at_), IsOk());
  ASSERT_THAT(RetireAuthority(at_), IsOk());
  const auto retired = Load();
  EXPECT_EQ(retired->BelievedCaPem(), after->CaPem());
  EXPECT_EQ(retired->ControllerCertificatePem(), after->ControllerCertificatePem());
  EXPECT_THAT(Prepare(), IsOk()) << "the next change";
}

TEST_F(CaChangeTest, WithoutOneThatIsPreparedThereIsNothingToUse) {
  EXPECT_THAT(UseAuthority(at_), Fails(kPrecondition, "prepare comes first"));
  ASSERT_THAT(Prepare(), IsOk());
  Write("ca-next.key", Must(PrivateKeyToPem(*Must(NewTlsKey()))));
  EXPECT_THAT(UseAuthority(at_), Fails(kPrecondition, "do not belong together"));
  Load();
}

// A power cut between any two writes leaves the old CA or the new one, whole, after the next start.
TEST_F(CaChangeTest, APowerCutLeavesTheOldOneOrTheNewOne) {
  const std::string old_ca = Read("ca.crt");
  ASSERT_THAT(Prepare(), IsOk());
  const std::string next_ca = Read("ca-next.crt");
  const std::string next_key = Read("ca-next.key");
  Write("ca-old.crt", old_ca);  // the first write of it
  EXPECT_EQ(Load()->CaPem(), old_ca);
  Write("ca.key", next_key);  // the second one: the moment of the change
  const auto pki = Load();
  EXPECT_EQ(pki->CaPem(), next_ca);
  EXPECT_TRUE(IsOf(HostCertificate(*pki), next_ca));
  EXPECT_FALSE(fs::exists(at_ / "ca-next.key"));
  EXPECT_FALSE(fs::exists(at_ / "ca-next.crt"));
  EXPECT_THAT(FinishChange(at_), IsOk());
}

}  // namespace
}  // namespace cordon::controller
