#include "common/wire/unlock.h"

#include <algorithm>
#include <optional>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/key_agreement.h"
#include "common/crypto/random.h"
#include "common/crypto/x25519.h"

namespace cordon {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::string_view kDomain = "cordon-unlock-v1";
constexpr int kLetterBits = 5;
constexpr int kNonceBits = 49;
constexpr int kLengthBits = 4;
constexpr uint64_t kNonceMask = (uint64_t{1} << kNonceBits) - 1;
constexpr size_t kCheckedLetters = kUnlockLetters - 1;
constexpr size_t kCodeBytes = 8;

using Letters = std::array<uint8_t, kUnlockLetters>;

absl::Status Bad(std::string_view what) {
  return absl::InvalidArgumentError(std::string(what));
}

// The number that a letter stands for, by what it looks like.
std::optional<uint8_t> NumberOf(char letter) {
  if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  if (letter == 'O') letter = '0';
  if (letter == 'I' || letter == 'L') letter = '1';
  if (letter == 'U') letter = 'V';
  const size_t at = kAlphabet.find(letter);
  if (at == std::string_view::npos) return std::nullopt;
  return static_cast<uint8_t>(at);
}

absl::StatusOr<Letters> ReadLetters(std::string_view what, std::string_view text) {
  if (text.size() > kMaxUnlockText)
    return Bad(StrCat(what, " has ", kUnlockLetters, " letters, this is longer"));
  Letters letters{};
  size_t count = 0;
  for (const char letter : text) {
    if (letter == '-' || letter == ' ' || letter == '\t' || letter == '\r' || letter == '\n') continue;
    const std::optional<uint8_t> number = NumberOf(letter);
    if (!number)
      return Bad(StrCat("'", Printable(std::string_view(&letter, 1)), "' does not occur in ", what));
    if (count < letters.size()) letters.at(count) = *number;
    ++count;
  }
  if (count != letters.size()) {
    return Bad(StrCat(what, " has ", kUnlockLetters, " letters, this has ", count));
  }
  return letters;
}

std::string Text(const Letters& letters) {
  std::string text;
  for (const uint8_t letter : letters) text.push_back(kAlphabet.at(letter));
  return text;
}

// In the field of 32 elements (x^5 + x^2 + 1), times x.
constexpr uint8_t TimesX(uint8_t value) {
  constexpr unsigned kTop = 0x20;
  constexpr unsigned kPolynomial = 0x25;
  const unsigned doubled = static_cast<unsigned>(value) << 1U;
  return static_cast<uint8_t>((doubled & kTop) != 0 ? doubled ^ kPolynomial : doubled);
}

// Sum of letter i times x^(11-i). It is 0 for every challenge; as the twelve powers of x are different and
// none is 0, no single wrong letter and no swap of two different letters leaves it so.
uint8_t Checksum(const Letters& letters) {
  uint8_t sum = 0;
  for (const uint8_t letter : letters) sum = static_cast<uint8_t>(TimesX(sum) ^ letter);
  return sum;
}

Letters LettersOf(uint64_t value, size_t count) {
  Letters letters{};
  for (size_t at = count; at > 0; --at, value >>= kLetterBits)
    letters.at(at - 1) = static_cast<uint8_t>(value & 0x1f);
  return letters;
}

void AppendField(std::string* out, std::string_view field) {
  const auto size = static_cast<uint32_t>(field.size());
  for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>((size >> shift) & 0xff));
  out->append(field);
}

std::string LowerCase(std::string text) {
  for (char& letter : text) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return text;
}

}  // namespace

std::string UnlockLengthsInWords() {
  std::string text;
  for (const int64_t length : kUnlockLengths)
    StrAppend(&text, text.empty() ? "" : ", ", FormatDuration(length));
  return text;
}

absl::StatusOr<UnlockChallenge> NewUnlockChallenge(v1::Level level, int64_t length_nanos) {
  if (level < v1::LEVEL_OBSERVE || level > v1::LEVEL_CONTROLLER_ONLY) {
    return Bad("a host can be unlocked to observe, no-lateral, essential or controller-only");
  }
  if (std::ranges::find(kUnlockLengths, length_nanos) == kUnlockLengths.end()) {
    return Bad(StrCat("a host can be unlocked for ", UnlockLengthsInWords(), "; not for ",
                      length_nanos > 0 ? FormatDuration(length_nanos) : "no time"));
  }
  uint64_t nonce = 0;
  for (const char byte : RandomBytes(sizeof(nonce))) nonce = (nonce << 8U) | static_cast<uint8_t>(byte);
  return UnlockChallenge{.level = level, .length_nanos = length_nanos, .nonce = nonce & kNonceMask};
}

std::string WriteUnlockChallenge(const UnlockChallenge& challenge) {
  const auto* const length = std::ranges::find(kUnlockLengths, challenge.length_nanos);
  const uint64_t value =
      (static_cast<uint64_t>(challenge.level - v1::LEVEL_OBSERVE) << (kNonceBits + kLengthBits)) |
      (static_cast<uint64_t>(length - kUnlockLengths.begin()) << kNonceBits) | (challenge.nonce & kNonceMask);
  Letters letters = LettersOf(value, kCheckedLetters);
  letters.back() = Checksum(letters);
  return Text(letters);
}

absl::StatusOr<UnlockChallenge> ReadUnlockChallenge(std::string_view text) {
  CORDON_ASSIGN_OR_RETURN(const Letters letters, ReadLetters("a challenge", text));
  if (Checksum(letters) != 0)
    return Bad("this is not a challenge: a letter is wrong; have it read out again");
  uint64_t value = 0;
  for (size_t at = 0; at < kCheckedLetters; ++at) value = (value << kLetterBits) | letters.at(at);
  UnlockChallenge challenge;
  challenge.level =
      static_cast<v1::Level>(v1::LEVEL_OBSERVE + static_cast<int>(value >> (kNonceBits + kLengthBits)));
  challenge.length_nanos = kUnlockLengths.at((value >> kNonceBits) & 0xf);
  challenge.nonce = value & kNonceMask;
  return challenge;
}

absl::StatusOr<std::string> ReadUnlockCode(std::string_view text) {
  CORDON_ASSIGN_OR_RETURN(const Letters letters, ReadLetters("a code", text));
  return Text(letters);
}

std::string InGroups(std::string_view letters) {
  constexpr size_t kGroup = 4;
  std::string text;
  for (size_t at = 0; at < letters.size(); at += kGroup) {
    StrAppend(&text, text.empty() ? "" : "-", letters.substr(at, kGroup));
  }
  return text;
}

absl::StatusOr<std::string> UnlockCode(const UnlockParties& parties, const UnlockChallenge& challenge,
                                       EVP_PKEY& own) {
  CORDON_ASSIGN_OR_RETURN(const std::string own_public_key, RawX25519PublicKey(own));
  const bool of_host = own_public_key == parties.host_public_key;
  if (!of_host && own_public_key != parties.operator_public_key)
    return Bad("the private key is neither side's");
  CORDON_ASSIGN_OR_RETURN(const std::string secret,
                          SharedSecret(own, of_host ? parties.operator_public_key : parties.host_public_key));
  std::string info;
  for (const std::string& field :
       {parties.fleet_id, parties.host_id, LowerCase(parties.host_name), parties.operator_id,
        parties.host_public_key, parties.operator_public_key, WriteUnlockChallenge(challenge)}) {
    AppendField(&info, field);
  }
  CORDON_ASSIGN_OR_RETURN(const std::string bytes, HkdfSha256(secret, kDomain, info, kCodeBytes));
  uint64_t value = 0;
  for (const char byte : bytes) value = (value << 8U) | static_cast<uint8_t>(byte);
  return Text(LettersOf(value >> 4U, kUnlockLetters));  // the first 60 bits
}

}  // namespace cordon
