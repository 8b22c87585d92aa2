#pragma once

// What the agent and its scanning process say to each other; each is one message of a SandboxedChild. What
// the child says is read as hostile: bounded, and nothing in it is believed but for what the rules are
// called.
//
//   request   'R' and a serialised IndicatorCheck: use its rules     'F', and an open file: search it
//   answer    one letter, then texts: four bytes of length (big-endian) and UTF-8 each

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cordon::agent {

inline constexpr char kUseRules = 'R';
inline constexpr char kSearchFile = 'F';

struct ScannerAnswer {
  enum class Kind : char {
    kReady = 'r',    // the rules are in use
    kRefused = 'x',  // the rules are bad: text
    kMatches = 'm',  // names of the rules that match; none: nothing found
    kTooLate = 't',  // the rules took too long on this file
    kFailed = 'f',   // text
  };
  Kind kind = Kind::kFailed;
  std::vector<std::string> texts;
};

inline constexpr size_t kMaxAnswerTexts = 256;
inline constexpr size_t kMaxAnswerTextBytes = 4096;

// Texts that are too many or too long are cut.
std::string EncodeAnswer(const ScannerAnswer& answer);

// Nothing when it is no answer, or out of bounds. Texts come as plain UTF-8, control characters made visible.
std::optional<ScannerAnswer> DecodeAnswer(std::string_view bytes);

}  // namespace cordon::agent
