#include "agent/names/answer_cache.h"

#include <algorithm>

#include "common/base/clock.h"

namespace cordon::agent {

void AnswerCache::Keep(const DnsQuestion& question, const DnsAnswer& answer, int64_t now) {
  const bool says_something =
      answer.code == ResponseCode::kNoError || answer.code == ResponseCode::kNameError;
  if (!says_something || answer.truncated) return;
  const uint32_t seconds =
      answer.addresses.empty() ? kNegativeSeconds : std::min(answer.TtlSeconds(), kMaxSeconds);
  if (seconds == 0) return;
  if (answers_.size() >= kMaxAnswers && !answers_.contains(question)) {
    std::erase_if(answers_, [now](const auto& entry) { return entry.second.until <= now; });
    if (answers_.size() >= kMaxAnswers) return;
  }
  answers_[question] = {.answer = answer, .since = now, .until = now + seconds * kNanosPerSecond};
}

std::optional<DnsAnswer> AnswerCache::Find(const DnsQuestion& question, int64_t now) const {
  const auto found = answers_.find(question);
  if (found == answers_.end() || found->second.until <= now) return std::nullopt;
  DnsAnswer answer = found->second.answer;
  const auto age = static_cast<uint32_t>((now - found->second.since) / kNanosPerSecond);
  for (AliasRecord& alias : answer.chain) alias.ttl_seconds -= std::min(alias.ttl_seconds, age);
  for (AddressRecord& record : answer.addresses) record.ttl_seconds -= std::min(record.ttl_seconds, age);
  return answer;
}

}  // namespace cordon::agent
