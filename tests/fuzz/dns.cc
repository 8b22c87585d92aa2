// Queries of programs on this host and answers from the network, as the DNS guard reads them.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/names/dns_message.h"
#include "agent/names/guard_rules.h"

namespace {

using namespace cordon::agent;  // NOLINT(google-build-using-namespace): a program of its own

const NameList& List() {
  static const NameList list = [] {
    cordon::v1::Profile profile;
    profile.add_allow()->add_names("pms.example.vet");
    profile.add_allow()->add_names("*.cloud.example.vet");
    return NameList(profile);
  }();
  return list;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const QueryVerdict verdict = JudgeQuery(input, List());
  if (verdict.kind == QueryVerdict::kAsk) {
    const DnsQuestion& question = verdict.query.question;
    const auto query = MakeQuery(1, question, false);
    if (!query.ok() || !(ParseQuery(*query)->question == question)) std::abort();
  }
  const DnsQuestion question{.name = "pms.example.vet", .type = RecordType::kA};
  const uint16_t id = size < 2 ? 0 : static_cast<uint16_t>(data[0] << 8U | data[1]);
  const auto answer = ParseAnswer(input, id, question);
  if (!answer.ok()) return 0;
  // What is taken can be handed on, and says the same then.
  const auto client = ParseQuery(*MakeQuery(id, question, true));
  const auto again = ParseAnswer(MakeReply(*client, *answer, kMaxDnsBytes), id, question);
  if (!again.ok()) std::abort();
  if (again->code == answer->code && again->addresses != answer->addresses) std::abort();
  return 0;
}
