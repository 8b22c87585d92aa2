#include "controller/app/init.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <string>

#include "common/crypto/digest.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/x25519.h"
#include "common/crypto/x509.h"
#include "common/wire/operator_identity.h"
#include "common/wire/trust.h"
#include "controller/pki/pki.h"
#include "controller/store/sqlite_store.h"
#include "platform/api/files.h"
#include "tests/fakes/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_fleet.h"

namespace cordon::controller {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::Fails;
using testing::FakeClock;
using testing::IsOk;
using testing::Must;
using testing::TempFolder;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

std::string ReadFile(const fs::path& path) {
  return Must(platform::ReadFileBounded(path, 64 << 20));
}

struct Fixture {
  TempFolder folder;
  FakeClock clock{WallNowNanos()};
  InitOptions options{.data = folder / "data",
                      .names = {"controller.test", "2001:db8::7"},
                      .port = 8443,
                      .operator_name = "alex",
                      .operator_out = folder / "alex.operator"};

  absl::Status Init() { return InitFleet(options, clock).status(); }
  v1::OperatorIdentity Identity() { return Must(ReadOperatorIdentity(ReadFile(options.operator_out))); }
  auto Files() const {
    return std::distance(fs::directory_iterator(folder.Path()), fs::directory_iterator());
  }
};

TEST(InitFleet, MakesAFleetThatItsFirstOperatorCommands) {
  Fixture f;
  const InitResult made = Must(InitFleet(f.options, f.clock));
  EXPECT_THAT(made.controllers, ElementsAre("controller.test:8443", "[2001:db8::7]:8443"));
  const auto pki = Must(Pki::Load(PkiFolder(f.options.data), f.clock));
  const auto store = Must(OpenSqliteStore(StoreFile(f.options.data), f.clock));
  const Fleet fleet = Must(store->GetFleet());
  EXPECT_EQ(fleet.fleet_id, made.fleet_id);
  EXPECT_EQ(pki->FleetId(), made.fleet_id);
  EXPECT_EQ(fleet.organisation, pki->Organisation());

  const v1::OperatorIdentity identity = f.Identity();
  EXPECT_EQ(identity.operator_id(), made.operator_id);
  EXPECT_EQ(identity.ca_pem(), pki->CaPem());
  EXPECT_EQ(identity.trust_bundle_sha256(), Sha256(fleet.trust_bundle.bundle()));
  EXPECT_THAT(CheckCertificate(identity.certificate_pem(), pki->CaPem(), f.clock.WallNanos()), IsOk());
  // The key in the file is the one that the bundle names: what it signs is obeyed (AUT-3).
  const v1::TrustBundle bundle = Must(ParseTrustBundle(fleet.trust_bundle));
  ASSERT_EQ(bundle.operators_size(), 1);
  EXPECT_EQ(bundle.operators(0).operator_id(), made.operator_id);
  EXPECT_EQ(bundle.operators(0).roles_size(), 5);
  const KeyPtr key = Must(PrivateKeyFromPem(identity.signing_key_pem()));
  EXPECT_EQ(bundle.operators(0).ed25519_public_key(), Must(RawPublicKey(*key)));
  const KeyPtr unlock = Must(PrivateKeyFromPem(identity.unlock_key_pem()));
  EXPECT_EQ(bundle.operators(0).unlock_public_key(), Must(RawX25519PublicKey(*unlock)));
  EXPECT_EQ(bundle.audit_log_public_key(), pki->AuditLogPublicKey());
  EXPECT_EQ(identity.trust_version(), 1U);
}

// A bundle that nobody takes would be found out by the first host, and could not be changed any more.
TEST(InitFleet, TheLongestNameOfAnOperatorMakesABundleThatIsTaken) {
  Fixture f;
  f.options.operator_name.assign(100, 'a');
  ASSERT_THAT(f.Init(), IsOk());
  const auto store = Must(OpenSqliteStore(StoreFile(f.options.data), f.clock));
  EXPECT_THAT(ParseTrustBundle(Must(store->GetFleet()).trust_bundle).status(), IsOk());
}

TEST(InitFleet, AUT3_ThePassphraseSealsTheOperatorsKeys) {
  Fixture f;
  f.options.passphrase = "correct horse battery";
  ASSERT_THAT(f.Init(), IsOk());
  const v1::OperatorIdentity identity = f.Identity();
  for (const std::string& pem : {identity.signing_key_pem(), identity.unlock_key_pem()}) {
    EXPECT_THAT(PrivateKeyFromPem(pem).status(), Fails(kInvalid, "unencrypted"));
    EXPECT_THAT(OpenSealedPrivateKey(pem, f.options.passphrase).status(), IsOk());
  }
}

// The operators' key is nowhere in what the controller keeps.
TEST(InitFleet, AUT3_TheSigningKeyIsNotBesideTheController) {
  Fixture f;
  ASSERT_THAT(f.Init(), IsOk());
  const std::string pem = f.Identity().signing_key_pem();
  const size_t begin = pem.find('\n') + 1;
  const std::string secret = pem.substr(begin, pem.find("\n-----END") - begin);
  ASSERT_GT(secret.size(), 40U);
  int files = 0;
  for (const fs::directory_entry& file : fs::recursive_directory_iterator(f.options.data)) {
    if (!file.is_regular_file()) continue;
    ++files;
    EXPECT_EQ(ReadFile(file.path()).find(secret), std::string::npos) << file.path();
  }
  EXPECT_GE(files, 6);
}

TEST(InitFleet, ItsFilesAreItsOwnersAlone) {
  Fixture f;
  ASSERT_THAT(f.Init(), IsOk());
  const auto others = fs::perms::group_all | fs::perms::others_all;
  for (const fs::path& path : {f.options.data, f.options.operator_out, StoreFile(f.options.data),
                               PkiFolder(f.options.data), PkiFolder(f.options.data) / "ca.key"}) {
    EXPECT_EQ(fs::status(path).permissions() & others, fs::perms::none) << path;
  }
}

TEST(InitFleet, TakesAnEmptyFolder) {
  Fixture f;
  fs::create_directory(f.options.data);
  EXPECT_THAT(f.Init(), IsOk());
  EXPECT_TRUE(fs::exists(StoreFile(f.options.data)));
}

struct BadOption {
  const char* name;
  std::function<void(InitOptions&)> spoil;
  absl::StatusCode code;
  const char* names;
};

class InitRefuses : public ::testing::TestWithParam<BadOption> {};

TEST_P(InitRefuses, AndLeavesNothingBehind) {
  Fixture f;
  GetParam().spoil(f.options);
  EXPECT_THAT(f.Init(), Fails(GetParam().code, GetParam().names));
  EXPECT_EQ(f.Files(), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Options, InitRefuses,
    ::testing::Values(
        BadOption{"NoName", [](InitOptions& o) { o.names.clear(); }, kInvalid, "--name"},
        BadOption{"TooManyNames", [](InitOptions& o) { o.names.assign(9, "a.example"); }, kInvalid, "--name"},
        BadOption{"ABadName", [](InitOptions& o) { o.names = {"Not A Name"}; }, kInvalid, "Not A Name"},
        BadOption{"PortZero", [](InitOptions& o) { o.port = 0; }, kInvalid, "--port"},
        BadOption{"NoOperator", [](InitOptions& o) { o.operator_name.clear(); }, kInvalid, "--operator"},
        BadOption{"OperatorWithControlCharacters", [](InitOptions& o) { o.operator_name = "a\nb"; }, kInvalid,
                  "--operator"},
        BadOption{"LongOperator", [](InitOptions& o) { o.operator_name.assign(101, 'a'); }, kInvalid,
                  "--operator"},
        BadOption{"OperatorFileInNoFolder",
                  [](InitOptions& o) { o.operator_out = o.operator_out.parent_path() / "none" / "x"; },
                  absl::StatusCode::kNotFound, "none"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(InitFleet, DoesNotTouchAFolderInUse) {
  Fixture f;
  fs::create_directory(f.options.data);
  std::ofstream(f.options.data / "mine") << "x";
  EXPECT_THAT(f.Init(), Fails(absl::StatusCode::kAlreadyExists, "is in use"));
  EXPECT_TRUE(fs::exists(f.options.data / "mine"));
  EXPECT_EQ(f.Files(), 1);
}

TEST(InitFleet, ASecondTimeChangesNothing) {
  Fixture f;
  ASSERT_THAT(f.Init(), IsOk());
  const std::string ca = ReadFile(PkiFolder(f.options.data) / "ca.crt");
  f.options.operator_out = f.folder / "second.operator";
  EXPECT_THAT(f.Init(), Fails(absl::StatusCode::kAlreadyExists, "is in use"));
  EXPECT_EQ(ReadFile(PkiFolder(f.options.data) / "ca.crt"), ca);
  EXPECT_FALSE(fs::exists(f.options.operator_out));
}

TEST(InitFleet, DoesNotWriteOverAnIdentityFile) {
  Fixture f;
  std::ofstream(f.options.operator_out) << "mine";
  EXPECT_THAT(f.Init(), Fails(absl::StatusCode::kAlreadyExists, "--operator-out"));
  EXPECT_EQ(ReadFile(f.options.operator_out), "mine");
  EXPECT_FALSE(fs::exists(f.options.data));
}

TEST(ControllerAddress, PutsIpv6InBrackets) {
  EXPECT_EQ(ControllerAddress("a.example", 1), "a.example:1");
  EXPECT_EQ(ControllerAddress("10.0.0.1", 8443), "10.0.0.1:8443");
  EXPECT_EQ(ControllerAddress("::1", 8443), "[::1]:8443");
}

}  // namespace
}  // namespace cordon::controller
