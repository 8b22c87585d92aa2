#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>

#include "common/base/strings.h"
#include "platform/windows/keys/envelope.h"
#include "platform/windows/keys/sealing.h"
#include "tests/support/status_matchers.h"

namespace cordon::platform::keys {
namespace {

using ::cordon::testing::Fails;
using ::cordon::testing::IsOk;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kKey = "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n";
constexpr uint32_t kBadKeyset = 0x80090016;
constexpr uint32_t kBusy = 0x80280922;  // TPM_20_E_RETRY

TpmEnvelope SomeEnvelope() {
  return {
      .wrapped_key = std::string(256, 'w'), .nonce = std::string(12, 'n'), .sealed = std::string(300, 's')};
}

TEST(TpmEnvelopes, AreReadAsTheyWereWritten) {
  const auto bytes = WriteEnvelope(SomeEnvelope());
  ASSERT_THAT(bytes.status(), IsOk());
  EXPECT_EQ(WhatSealed(*bytes), SealedBy::kTpm);
  EXPECT_EQ(bytes->size(), kTpmHead.size() + 6 + 256 + 12 + 300);
  const auto again = ReadEnvelope(*bytes);
  ASSERT_THAT(again.status(), IsOk());
  EXPECT_EQ(*again, SomeEnvelope());
}

TEST(TpmEnvelopes, EveryCutOneIsRefusedAndOneThatIsLonger) {
  const std::string bytes = WriteEnvelope(SomeEnvelope()).value();
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THAT(ReadEnvelope(bytes.substr(0, size)).status(), Fails(absl::StatusCode::kDataLoss, "")) << size;
  EXPECT_THAT(ReadEnvelope(bytes + "x").status(), Fails(absl::StatusCode::kDataLoss, "damaged"));
}

TEST(TpmEnvelopes, AnotherVersionSaysWhatToDo) {
  std::string bytes = WriteEnvelope(SomeEnvelope()).value();
  bytes[kTpmLine.size()] = 2;
  EXPECT_THAT(ReadEnvelope(bytes).status(), Fails(absl::StatusCode::kDataLoss, "newer agent"));
}

TEST(TpmEnvelopes, PartsOutOfBoundsAreNeitherWrittenNorRead) {
  for (const auto& [wrapped, nonce, sealed] : std::vector<std::array<size_t, 3>>{
           {0, 12, 300}, {1025, 12, 300}, {256, 11, 300}, {256, 12, 15}, {256, 12, 65536}}) {
    const TpmEnvelope envelope{.wrapped_key = std::string(wrapped, 'w'),
                               .nonce = std::string(nonce, 'n'),
                               .sealed = std::string(sealed, 's')};
    EXPECT_THAT(WriteEnvelope(envelope).status(), Fails(absl::StatusCode::kInvalidArgument, ""));
  }
}

TEST(TpmEnvelopes, TheLineSaysWhatSealed) {
  EXPECT_EQ(WhatSealed("cordon key sealed by DPAPI\n..."), SealedBy::kDpapi);
  EXPECT_EQ(WhatSealed(kKey), SealedBy::kNothing);
  EXPECT_EQ(WhatSealed(""), SealedBy::kNothing);
}

// A machine's TPM: what it keeps, what it was asked, and where it fails.
struct FakeTpm {
  bool hardware = true;
  bool keeps_keys = true;  // else a key lives as long as its handle (what wine does)
  bool lies = false;       // decrypts to something else
  std::string secret;      // of the kept key; empty: there is none
  std::map<std::string, uint32_t> fail;
  std::vector<std::string> calls;
  int open_handles = 0;

  uint32_t Call(const std::string& name) {
    calls.push_back(name);
    const auto found = fail.find(name);
    return found == fail.end() ? 0 : found->second;
  }
  uint32_t Give(const std::string& name, uint64_t* handle) {
    const uint32_t result = Call(name);
    if (result == 0) *handle = 1, ++open_handles;
    return result;
  }

  NcryptCalls Calls() {
    return {.open_provider = [this](uint64_t* provider) { return Give("provider", provider); },
            .in_hardware =
                [this](uint64_t, bool* is) {
                  *is = hardware;
                  return Call("in-hardware");
                },
            .open_key = [this](uint64_t,
                               uint64_t* key) { return secret.empty() ? Missing() : Give("open", key); },
            .create_key = [this](uint64_t, uint64_t* key) { return Give("create", key); },
            .limit_key = [this](uint64_t) { return Call("limit"); },
            .finalize_key =
                [this](uint64_t) {
                  const uint32_t result = Call("finalize");
                  if (result == 0 && keeps_keys) secret = "pad";
                  return result;
                },
            .encrypt =
                [this](uint64_t, std::string_view text, std::string* wrapped) {
                  *wrapped = secret + std::string(text);
                  return Call("encrypt");
                },
            .decrypt =
                [this](uint64_t, std::string_view wrapped, std::string* text) {
                  if (!wrapped.starts_with(secret)) return uint32_t{0x80090005};
                  *text = lies ? std::string(32, 'x') : std::string(wrapped.substr(secret.size()));
                  return Call("decrypt");
                },
            .free = [this](uint64_t) { --open_handles; }};
  }
  uint32_t Missing() {
    calls.emplace_back("open");
    return kBadKeyset;
  }
};

DpapiCalls Dpapi() {
  return {
      .seal = [](std::string_view key) -> absl::StatusOr<std::string> { return StrCat("blob:", key.size()); },
      .open = [](std::string_view blob) -> absl::StatusOr<std::string> { return StrCat("opened ", blob); }};
}

TEST(TpmKeys, SealsWithAKeyThatIsMadeOnceAndOpensAgain) {
  FakeTpm tpm;
  const auto sealed = SealByTpm(tpm.Calls(), kKey);
  ASSERT_THAT(sealed.status(), IsOk());
  EXPECT_THAT(*sealed, Not(HasSubstr("secret")));
  EXPECT_THAT(tpm.calls, ElementsAre("provider", "in-hardware", "open", "create", "limit", "finalize", "open",
                                     "encrypt", "decrypt"));
  const auto opened = OpenByTpm(tpm.Calls(), *sealed);
  ASSERT_THAT(opened.status(), IsOk());
  EXPECT_EQ(*opened, kKey);
  tpm.calls.clear();
  const auto second = SealByTpm(tpm.Calls(), kKey);
  ASSERT_THAT(second.status(), IsOk());
  EXPECT_THAT(tpm.calls, Not(::testing::Contains("create")));
  EXPECT_NE(*second, *sealed) << "each has a content key and a nonce of its own";
  EXPECT_EQ(tpm.open_handles, 0);
}

TEST(TpmKeys, EveryCallThatFailsIsNamedAndNoHandleIsLeft) {
  for (const char* call : {"create", "limit", "finalize", "encrypt", "decrypt"}) {
    FakeTpm tpm;
    tpm.fail[call] = kBusy;
    EXPECT_THAT(SealByTpm(tpm.Calls(), kKey).status(), Fails(absl::StatusCode::kUnavailable, "0x80280922"))
        << call;
    EXPECT_EQ(tpm.open_handles, 0) << call;
  }
  FakeTpm tpm;
  tpm.secret = "pad";
  tpm.fail["open"] = kBusy;
  EXPECT_THAT(SealByTpm(tpm.Calls(), kKey).status(),
              Fails(absl::StatusCode::kUnavailable, "opening its key"));
  EXPECT_THAT(tpm.calls, Not(::testing::Contains("create"))) << "one that does not answer is not replaced";
  EXPECT_EQ(tpm.open_handles, 0);
}

TEST(TpmKeys, WithoutHardwareNothingIsSealed) {
  FakeTpm software;
  software.hardware = false;
  FakeTpm none;
  none.fail["provider"] = 0x80090030;  // NTE_DEVICE_NOT_READY
  FakeTpm silent;
  silent.fail["in-hardware"] = 0x80090029;  // NTE_NOT_SUPPORTED
  for (FakeTpm* tpm : {&software, &none, &silent}) {
    EXPECT_THAT(SealByTpm(tpm->Calls(), kKey).status(), Fails(absl::StatusCode::kUnimplemented, "no TPM"));
    EXPECT_EQ(tpm->open_handles, 0);
  }
}

// Else the host's key would be lost at the next start of the agent.
TEST(TpmKeys, AKeyThatDoesNotLastSealsNothing) {
  FakeTpm tpm;
  tpm.keeps_keys = false;
  EXPECT_THAT(SealByTpm(tpm.Calls(), kKey).status(),
              Fails(absl::StatusCode::kUnavailable, "opening its key"));
  FakeTpm liar;
  liar.lies = true;
  EXPECT_THAT(SealByTpm(liar.Calls(), kKey).status(),
              Fails(absl::StatusCode::kUnavailable, "does not decrypt"));
}

TEST(TpmKeys, ALostKeyIsDataLossAndSaysWhatHappened) {
  FakeTpm tpm;
  const std::string sealed = SealByTpm(tpm.Calls(), kKey).value();
  FakeTpm cleared = tpm;
  cleared.secret.clear();
  EXPECT_THAT(OpenByTpm(cleared.Calls(), sealed).status(),
              Fails(absl::StatusCode::kDataLoss, "TPM was cleared"));
  FakeTpm another;
  another.secret = "another";
  EXPECT_THAT(OpenByTpm(another.Calls(), sealed).status(),
              Fails(absl::StatusCode::kDataLoss, "another machine"));
  FakeTpm integrity = tpm;
  integrity.fail["open"] = 0x8028009f;
  EXPECT_THAT(OpenByTpm(integrity.Calls(), sealed).status(),
              Fails(absl::StatusCode::kDataLoss, "0x8028009f"));
}

TEST(TpmKeys, ATpmThatDoesNotAnswerNowIsNoDataLoss) {
  FakeTpm tpm;
  const std::string sealed = SealByTpm(tpm.Calls(), kKey).value();
  for (const char* call : {"provider", "open", "decrypt"}) {
    FakeTpm busy = tpm;
    busy.fail[call] = kBusy;
    busy.open_handles = 0;
    EXPECT_THAT(OpenByTpm(busy.Calls(), sealed).status(), Fails(absl::StatusCode::kUnavailable, "0x80280922"))
        << call;
    EXPECT_EQ(busy.open_handles, 0) << call;
  }
}

TEST(TpmKeys, NoByteOfTheFileCanBeChanged) {
  FakeTpm tpm;
  const std::string sealed = SealByTpm(tpm.Calls(), kKey).value();
  for (size_t at = kTpmLine.size(); at < sealed.size(); ++at) {
    std::string changed = sealed;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_THAT(OpenByTpm(tpm.Calls(), changed).status(), Fails(absl::StatusCode::kDataLoss, "")) << at;
  }
}

TEST(KeySealing, TakesDpapiWhereTheTpmDoesNotAndSaysSo) {
  FakeTpm tpm;
  tpm.hardware = false;
  std::string notice;
  const auto sealed = Seal(tpm.Calls(), Dpapi(), kKey, &notice);
  ASSERT_THAT(sealed.status(), IsOk());
  EXPECT_EQ(*sealed, StrCat("cordon key sealed by DPAPI\nblob:", std::string_view(kKey).size()));
  EXPECT_THAT(notice, AllOf(HasSubstr("DPAPI"), HasSubstr("no TPM")));
}

TEST(KeySealing, SealsAnewByTheTpmWhatDpapiHadSealed) {
  FakeTpm tpm;
  std::string notice;
  const auto key = Open(tpm.Calls(), Dpapi(), "cordon key sealed by DPAPI\nold");
  ASSERT_THAT(key.status(), IsOk());
  EXPECT_EQ(*key, "opened old");
  const auto sealed = Seal(tpm.Calls(), Dpapi(), *key, &notice);
  ASSERT_THAT(sealed.status(), IsOk());
  EXPECT_EQ(WhatSealed(*sealed), SealedBy::kTpm);
  EXPECT_THAT(notice, IsEmpty());
  EXPECT_EQ(Open(tpm.Calls(), Dpapi(), *sealed).value(), "opened old");
}

TEST(KeySealing, WhatNothingSealedIsGivenAsItIs) {
  FakeTpm tpm;
  EXPECT_EQ(Open(tpm.Calls(), Dpapi(), kKey).value(), kKey);
  EXPECT_THAT(tpm.calls, IsEmpty());
}

TEST(KeySealing, WhenNeitherSealsTheErrorIsDpapis) {
  FakeTpm tpm;
  tpm.hardware = false;
  DpapiCalls dpapi = Dpapi();
  dpapi.seal = [](std::string_view) -> absl::StatusOr<std::string> {
    return absl::InternalError("no DPAPI");
  };
  std::string notice;
  EXPECT_THAT(Seal(tpm.Calls(), dpapi, kKey, &notice).status(),
              Fails(absl::StatusCode::kInternal, "no DPAPI"));
}

}  // namespace
}  // namespace cordon::platform::keys
