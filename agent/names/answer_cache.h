#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "agent/names/dns_message.h"

namespace cordon::agent {

// Answers that still hold, so that a program which asks again costs no packet that leaves the host. Bounded.
// Times are of Clock::BootNanos.
class AnswerCache {
 public:
  static constexpr size_t kMaxAnswers = 4'096;

  // Kept for as long as its records say, at most an hour; an answer without records for kNegativeSeconds.
  // Failures of a resolver are not kept.
  static constexpr uint32_t kNegativeSeconds = 30;
  static constexpr uint32_t kMaxSeconds = 3'600;
  void Keep(const DnsQuestion& question, const DnsAnswer& answer, int64_t now);

  // With the time that the records still have.
  std::optional<DnsAnswer> Find(const DnsQuestion& question, int64_t now) const;

  void Clear() { answers_.clear(); }

 private:
  struct Kept {
    DnsAnswer answer;
    int64_t since = 0;
    int64_t until = 0;
  };
  std::map<DnsQuestion, Kept> answers_;
};

}  // namespace cordon::agent
