#include "agent/names/guard_rules.h"

#include <algorithm>
#include <utility>

#include "common/base/clock.h"

namespace cordon::agent {

QueryVerdict JudgeQuery(std::string_view bytes, const NameList& list) {
  absl::StatusOr<DnsQuery> query = ParseQuery(bytes);
  if (!query.ok()) {
    std::string reply = MakeFormatError(bytes);
    const QueryVerdict::Kind kind = reply.empty() ? QueryVerdict::kDrop : QueryVerdict::kReply;
    return {.kind = kind, .reply = std::move(reply), .query = {}, .match = {}};
  }
  const auto answered = [&](ResponseCode code) {
    return QueryVerdict{
        .kind = QueryVerdict::kReply, .reply = MakeReply(*query, code), .query = *query, .match = {}};
  };
  NameList::Match match = list.Find(query->question.name);
  if (!match) return answered(ResponseCode::kRefused);
  switch (query->question.type) {
    case RecordType::kA:
    case RecordType::kAaaa:
      return {.kind = QueryVerdict::kAsk, .reply = {}, .query = *std::move(query), .match = std::move(match)};
    case RecordType::kHttps:
    case RecordType::kSvcb:
      return answered(ResponseCode::kNoError);
    default:
      return answered(ResponseCode::kRefused);
  }
}

size_t DatagramLimit(const DnsQuery& query) {
  return std::clamp<size_t>(query.edns_udp_bytes.value_or(kPlainUdpBytes), kPlainUdpBytes, kUsualUdpBytes);
}

bool WildcardBudget::Spend(int64_t now_nanos) {
  constexpr double kPerNano = double{kPerMinute} / 60.0 / double{kNanosPerSecond};
  const auto passed = static_cast<double>(std::max<int64_t>(now_nanos - filled_at_, 0));
  tokens_ = std::min(tokens_ + passed * kPerNano, double{kBurst});
  filled_at_ = now_nanos;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

}  // namespace cordon::agent
