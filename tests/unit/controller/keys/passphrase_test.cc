#include "controller/keys/passphrase.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "common/crypto/ed25519.h"
#include "controller/keys/operator_keys.h"
#include "platform/api/files.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_fleet.h"

namespace cordon::controller {
namespace {

using testing::Fails;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::Must;
using testing::TempFolder;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr char kGood[] = "correct horse battery";

// A person who types these lines, one per question.
struct Person {
  std::deque<std::string> lines;
  int asked = 0;

  PassphraseSource Source() {
    return {.ask = [this](std::string_view) -> absl::StatusOr<std::string> {
      ++asked;
      if (lines.empty()) return absl::AbortedError("nothing was entered");
      std::string line = lines.front();
      lines.pop_front();
      return line;
    }};
  }
};

std::string SealedKey() {
  return Must(SealPrivateKey(*Must(NewSigningKey()), kGood));
}

TEST(Passphrase, IsAskedForTwiceWhenItIsNew) {
  Person person{.lines = {kGood, kGood}};
  EXPECT_EQ(Must(ChoosePassphrase(person.Source())), kGood);
  EXPECT_EQ(person.asked, 2);
  Person hasty{.lines = {kGood, "correct horse batery"}};
  EXPECT_THAT(ChoosePassphrase(hasty.Source()).status(), Fails(kInvalid, "differ"));
  Person lazy{.lines = {"short", "short"}};
  EXPECT_THAT(ChoosePassphrase(lazy.Source()).status(), Fails(kInvalid, "12 to 1024"));
}

TEST(Passphrase, IsNeverEmptyUnlessThatIsSaid) {
  EXPECT_THAT(ChoosePassphrase({}).status(), Fails(kInvalid, "--no-passphrase"));
  EXPECT_EQ(Must(ChoosePassphrase({.none = true})), "");
}

TEST(Passphrase, IsTheFirstLineOfItsFile) {
  const TempFolder folder;
  Must(platform::WriteFileDurably(folder / "good", std::string(kGood) + "\r\nrest\n",
                                  platform::FileAccess::kOwnerOnly));
  Must(platform::WriteFileDurably(folder / "empty", "\n", platform::FileAccess::kOwnerOnly));
  EXPECT_EQ(Must(ChoosePassphrase({.file = folder / "good"})), kGood);
  EXPECT_THAT(ChoosePassphrase({.file = folder / "empty"}).status(), Fails(kInvalid, "empty"));
  EXPECT_THAT(ChoosePassphrase({.file = folder / "none"}).status(),
              Fails(absl::StatusCode::kNotFound, "--passphrase-file"));
  EXPECT_THAT(OpenKey(SealedKey(), {.file = folder / "good"}, "the key").status(), IsOk());
  EXPECT_THAT(OpenKey(SealedKey(), {.file = folder / "empty"}, "the key").status(),
              Fails(absl::StatusCode::kPermissionDenied, "empty"));
}

TEST(SealedKey, AUT3_OpensForItsPassphraseAlone) {
  const KeyPtr key = Must(NewSigningKey());
  const std::string pem = Must(SealPrivateKey(*key, kGood));
  EXPECT_TRUE(IsSealedPrivateKey(pem));
  const KeyPtr opened = Must(OpenSealedPrivateKey(pem, kGood));
  EXPECT_EQ(Must(RawPublicKey(*opened)), Must(RawPublicKey(*key)));
  for (const std::string_view wrong : {"", "correct horse battera", "Correct horse battery"}) {
    EXPECT_THAT(OpenSealedPrivateKey(pem, wrong).status(),
                Fails(absl::StatusCode::kPermissionDenied, "passphrase"));
  }
  // Nothing that expects an open key takes it, and it asks no terminal.
  EXPECT_THAT(PrivateKeyFromPem(pem).status(), Fails(kInvalid, "unencrypted"));
  EXPECT_THAT(OpenSealedPrivateKey(pem.substr(0, pem.size() / 2), kGood).status(), Fails(kInvalid, "PEM"));
  EXPECT_THAT(SealPrivateKey(*key, "").status(), Fails(kInvalid, "empty"));
}

TEST(SealedKey, IsAskedForThreeTimesAndNoMore) {
  const std::string pem = SealedKey();
  Person person{.lines = {"wrong", "wrong again", kGood}};
  EXPECT_THAT(OpenKey(pem, person.Source(), "the key").status(), IsOk());
  Person stranger{.lines = {"a", "b", "c", kGood}};
  EXPECT_THAT(OpenKey(pem, stranger.Source(), "the key").status(),
              Fails(absl::StatusCode::kPermissionDenied, "the key"));
  EXPECT_EQ(stranger.asked, 3);
  Person leaver;
  EXPECT_THAT(OpenKey(pem, leaver.Source(), "the key").status(), Fails(absl::StatusCode::kAborted, ""));
  EXPECT_THAT(OpenKey(pem, {}, "the key").status(),
              Fails(absl::StatusCode::kFailedPrecondition, "CORDON_PASSPHRASE_FILE"));
  // A key that is not sealed asks nobody.
  Person nobody;
  EXPECT_THAT(OpenKey(Must(PrivateKeyToPem(*Must(NewSigningKey()))), nobody.Source(), "the key").status(),
              IsOk());
  EXPECT_EQ(nobody.asked, 0);
}

TEST(OperatorKeys, AUT3_AreSealedButForTheOneOfTls) {
  const OperatorKeys keys = Must(NewOperatorKeys());
  v1::OperatorIdentity sealed;
  Must(PutKeys(keys, kGood, &sealed));
  EXPECT_FALSE(IsSealedPrivateKey(sealed.key_pem()));
  EXPECT_TRUE(IsSealedPrivateKey(sealed.signing_key_pem()));
  EXPECT_TRUE(IsSealedPrivateKey(sealed.unlock_key_pem()));
  v1::OperatorIdentity open;
  Must(PutKeys(keys, "", &open));
  EXPECT_THAT(open.signing_key_pem(), HasSubstr("BEGIN PRIVATE KEY"));
  const v1::TrustedOperator trusted = Must(Trusted("id", "alex", keys));
  EXPECT_EQ(trusted.ed25519_public_key().size(), 32U);
  EXPECT_EQ(trusted.unlock_public_key().size(), 32U);
  EXPECT_NE(trusted.ed25519_public_key(), trusted.unlock_public_key());
}

}  // namespace
}  // namespace cordon::controller
