#include "common/wire/unlock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <set>

#include "common/base/hex.h"
#include "common/crypto/key_agreement.h"
#include "common/crypto/x25519.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_fleet.h"

namespace cordon {
namespace {

using testing::Fails;
using testing::IsOk;
using testing::Must;

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

KeyPtr KeyOfHex(const std::string& hex) {
  const std::string raw = Must(HexDecode(hex));
  return KeyPtr(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr,
                                             reinterpret_cast<const unsigned char*>(raw.data()), raw.size()));
}

// RFC 7748, 6.1: Alice is the host, Bob the operator.
KeyPtr Alice() {
  return KeyOfHex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
}
KeyPtr Bob() {
  return KeyOfHex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
}

UnlockParties Parties() {
  return {.fleet_id = "11111111-1111-4111-8111-111111111111",
          .host_id = "22222222-2222-4222-8222-222222222222",
          .host_name = "front-desk",
          .operator_id = "33333333-3333-4333-8333-333333333333",
          .host_public_key = Must(RawX25519PublicKey(*Alice())),
          .operator_public_key = Must(RawX25519PublicKey(*Bob()))};
}

UnlockChallenge SomeChallenge() {
  return {.level = v1::LEVEL_OBSERVE, .length_nanos = 4 * kUnlockHour, .nonce = 0x123456789abcd};
}

TEST(KeyAgreement, IsThatOfRfc7748) {
  const std::string shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
  EXPECT_EQ(HexEncode(Must(SharedSecret(*Alice(), Must(RawX25519PublicKey(*Bob()))))), shared);
  EXPECT_EQ(HexEncode(Must(SharedSecret(*Bob(), Must(RawX25519PublicKey(*Alice()))))), shared);
}

TEST(KeyAgreement, DerivesAsRfc5869Does) {
  // Its test case 1.
  const std::string out =
      Must(HkdfSha256(std::string(22, '\x0b'), Must(HexDecode("000102030405060708090a0b0c")),
                      Must(HexDecode("f0f1f2f3f4f5f6f7f8f9")), 42));
  EXPECT_EQ(HexEncode(out),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
}

TEST(KeyAgreement, RefusesKeysThatShareNoSecret) {
  for (const std::string& low_order :
       {std::string(32, '\0'), "\x01" + std::string(31, '\0'),
        Must(HexDecode("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")),
        Must(HexDecode("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"))}) {
    EXPECT_THAT(SharedSecret(*Alice(), low_order), Fails(absl::StatusCode::kInvalidArgument, "shared"));
  }
  EXPECT_THAT(SharedSecret(*Alice(), "short"), Fails(absl::StatusCode::kInvalidArgument, "32 bytes"));
  EXPECT_THAT(SharedSecret(*Must(NewTlsKey()), Must(RawX25519PublicKey(*Bob()))),
              Fails(absl::StatusCode::kInvalidArgument, "X25519"));
}

TEST(UnlockChallenge, ComesBackFromItsLetters) {
  for (const v1::Level level :
       {v1::LEVEL_OBSERVE, v1::LEVEL_NO_LATERAL, v1::LEVEL_ESSENTIAL, v1::LEVEL_CONTROLLER_ONLY}) {
    for (const int64_t length : kUnlockLengths) {
      const UnlockChallenge made = Must(NewUnlockChallenge(level, length));
      const std::string text = WriteUnlockChallenge(made);
      EXPECT_EQ(text.size(), kUnlockLetters);
      EXPECT_EQ(text.find_first_not_of(kAlphabet), std::string::npos) << text;
      EXPECT_EQ(Must(ReadUnlockChallenge(text)), made) << text;
    }
  }
}

TEST(UnlockChallenge, IsRandom) {
  std::set<uint64_t> nonces;
  for (int i = 0; i < 1'000; ++i)
    nonces.insert(Must(NewUnlockChallenge(v1::LEVEL_OBSERVE, kUnlockHour)).nonce);
  EXPECT_EQ(nonces.size(), 1'000U);
}

TEST(UnlockChallenge, HasOnlyLevelsAndLengthsThatFitIt) {
  EXPECT_THAT(NewUnlockChallenge(v1::LEVEL_DARK, kUnlockHour),
              Fails(absl::StatusCode::kInvalidArgument, "observe"));
  EXPECT_THAT(NewUnlockChallenge(v1::LEVEL_UNSPECIFIED, kUnlockHour),
              Fails(absl::StatusCode::kInvalidArgument, "observe"));
  for (const int64_t length : {int64_t{0}, int64_t{-1}, kUnlockHour + 1, 8 * kUnlockDay}) {
    EXPECT_THAT(NewUnlockChallenge(v1::LEVEL_OBSERVE, length),
                Fails(absl::StatusCode::kInvalidArgument, "15m, 30m, 1h, 2h, 3h, 4h"));
  }
}

// As it is said and typed: groups, spaces, small letters, and letters that look like others.
TEST(UnlockChallenge, IsReadAsPeopleTypeIt) {
  EXPECT_EQ(WriteUnlockChallenge(SomeChallenge()), "2S38NKRKAYDC");
  EXPECT_EQ(InGroups("2S38NKRKAYDC"), "2S38-NKRK-AYDC");
  for (const std::string_view typed : {"2S38-NKRK-AYDC", " 2s38 nkrk aydc ", "2s38nkrkaydc\r\n"}) {
    EXPECT_EQ(Must(ReadUnlockChallenge(typed)), SomeChallenge()) << typed;
  }
  EXPECT_EQ(Must(ReadUnlockCode("oOiI-lLuU-0011")),
            "00111"
            "1VV0011");
}

TEST(UnlockChallenge, EveryOneWrongLetterIsNoticed) {
  for (int round = 0; round < 50; ++round) {
    const std::string good = WriteUnlockChallenge(Must(NewUnlockChallenge(v1::LEVEL_ESSENTIAL, kUnlockDay)));
    ASSERT_THAT(ReadUnlockChallenge(good), IsOk());
    for (size_t at = 0; at < good.size(); ++at) {
      for (const char letter : kAlphabet) {
        std::string typed = good;
        typed[at] = letter;
        if (typed == good) continue;
        EXPECT_THAT(ReadUnlockChallenge(typed),
                    Fails(absl::StatusCode::kInvalidArgument, "a letter is wrong"));
      }
    }
  }
}

TEST(UnlockChallenge, TwoLettersThatChangedPlacesAreNoticed) {
  for (int round = 0; round < 50; ++round) {
    const std::string good = WriteUnlockChallenge(Must(NewUnlockChallenge(v1::LEVEL_OBSERVE, kUnlockHour)));
    for (size_t one = 0; one < good.size(); ++one) {
      for (size_t other = one + 1; other < good.size(); ++other) {
        std::string typed = good;
        std::swap(typed[one], typed[other]);
        EXPECT_EQ(ReadUnlockChallenge(typed).ok(), typed == good) << good << " " << typed;
      }
    }
  }
}

TEST(UnlockChallenge, SaysWhatIsWrongWithTheRest) {
  EXPECT_THAT(ReadUnlockChallenge("2S38-NKRK-AYD"), Fails(absl::StatusCode::kInvalidArgument, "this has 11"));
  EXPECT_THAT(ReadUnlockChallenge("2S38-NKRK-AYDCC"),
              Fails(absl::StatusCode::kInvalidArgument, "this has 13"));
  EXPECT_THAT(ReadUnlockChallenge(""), Fails(absl::StatusCode::kInvalidArgument, "this has 0"));
  EXPECT_THAT(ReadUnlockChallenge("2S38-NKRK-AY!C"), Fails(absl::StatusCode::kInvalidArgument, "'!'"));
  EXPECT_THAT(ReadUnlockChallenge(std::string(1'000, ' ')),
              Fails(absl::StatusCode::kInvalidArgument, "longer"));
}

// Made once with Python's hmac and hashlib from the layout in docs/protocol.md.
TEST(UnlockCode, IsThatOfTheProtocolsVector) {
  const KeyPtr host = Alice();
  const KeyPtr person = Bob();
  EXPECT_EQ(Must(UnlockCode(Parties(), SomeChallenge(), *host)), "E6QV87PPQYKG");
  EXPECT_EQ(Must(UnlockCode(Parties(), SomeChallenge(), *person)), "E6QV87PPQYKG");
}

TEST(UnlockCode, NamesAreTheSameInSmallAndCapitalLetters) {
  UnlockParties parties = Parties();
  parties.host_name = "Front-DESK";
  EXPECT_EQ(Must(UnlockCode(parties, SomeChallenge(), *Bob())), "E6QV87PPQYKG");
}

TEST(UnlockCode, IsAnotherForEachThingThatItIsBoundTo) {
  std::set<std::string> codes = {Must(UnlockCode(Parties(), SomeChallenge(), *Bob()))};
  for (std::string UnlockParties::* const field : {&UnlockParties::fleet_id, &UnlockParties::host_id,
                                                   &UnlockParties::host_name, &UnlockParties::operator_id}) {
    UnlockParties parties = Parties();
    (parties.*field).back() = 'x';
    codes.insert(Must(UnlockCode(parties, SomeChallenge(), *Bob())));
  }
  UnlockParties other_host = Parties();
  other_host.host_public_key = Must(RawX25519PublicKey(*Must(NewX25519Key())));
  codes.insert(Must(UnlockCode(other_host, SomeChallenge(), *Bob())));
  for (const auto& change :
       std::vector<UnlockChallenge>{{v1::LEVEL_NO_LATERAL, 4 * kUnlockHour, 0x123456789abcd},
                                    {v1::LEVEL_OBSERVE, 6 * kUnlockHour, 0x123456789abcd},
                                    {v1::LEVEL_OBSERVE, 4 * kUnlockHour, 0x123456789abcc}}) {
    codes.insert(Must(UnlockCode(Parties(), change, *Bob())));
  }
  EXPECT_EQ(codes.size(), 9U);
}

TEST(UnlockCode, NeedsOneOfTheTwoPrivateKeys) {
  EXPECT_THAT(UnlockCode(Parties(), SomeChallenge(), *Must(NewX25519Key())),
              Fails(absl::StatusCode::kInvalidArgument, "neither side's"));
  EXPECT_THAT(UnlockCode(Parties(), SomeChallenge(), *Must(NewTlsKey())),
              Fails(absl::StatusCode::kInvalidArgument, "X25519"));
  UnlockParties bad = Parties();
  bad.host_public_key = std::string(32, '\0');
  EXPECT_THAT(UnlockCode(bad, SomeChallenge(), *Bob()), Fails(absl::StatusCode::kInvalidArgument, "shared"));
}

}  // namespace
}  // namespace cordon
