#include "agent/names/dns_message.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "common/base/status.h"

// After all others, and with its macros for C taken back.
#include <ldns/ldns.h>
#undef bool
#undef true
#undef false

namespace cordon::agent {
namespace {

constexpr size_t kHeaderBytes = 12;

struct FreePacket {
  void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};
struct FreeData {
  void operator()(ldns_rdf* data) const { ldns_rdf_deep_free(data); }
};
struct FreeBytes {
  void operator()(void* bytes) const { std::free(bytes); }
};
using Packet = std::unique_ptr<ldns_pkt, FreePacket>;

absl::Status Bad(std::string_view what) {
  return absl::InvalidArgumentError(std::string(what));
}

absl::StatusOr<Packet> Parse(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || bytes.size() > kMaxDnsBytes) return Bad("not the size of a DNS message");
  ldns_pkt* raw = nullptr;
  const ldns_status status =
      ldns_wire2pkt(&raw, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (status != LDNS_STATUS_OK || raw == nullptr) return Bad("not a DNS message");
  return Packet(raw);
}

// Lower case, without the last dot. Empty for the root and for what cannot be written.
std::string NameText(const ldns_rdf* name) {
  const std::unique_ptr<char, FreeBytes> raw(ldns_rdf2str(name));
  std::string text = raw == nullptr ? "" : raw.get();
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (text.ends_with('.')) text.pop_back();
  return text;
}

// The only question of `packet`, nullptr when there is not exactly one of class IN.
const ldns_rr* OnlyQuestion(const ldns_pkt* packet) {
  const ldns_rr_list* const questions = ldns_pkt_question(packet);
  if (questions == nullptr || ldns_rr_list_rr_count(questions) != 1) return nullptr;
  const ldns_rr* const question = ldns_rr_list_rr(questions, 0);
  const ldns_rdf* const name = ldns_rr_owner(question);
  if (name == nullptr || ldns_rdf_get_type(name) != LDNS_RDF_TYPE_DNAME) return nullptr;
  return ldns_rr_get_class(question) == LDNS_RR_CLASS_IN ? question : nullptr;
}

RecordType TypeOf(const ldns_rr* record) {
  return static_cast<RecordType>(ldns_rr_get_type(record));
}

// A time to live with the highest bit set counts as none (RFC 2181, 8).
uint32_t TtlOf(const ldns_rr* record) {
  const uint32_t ttl = ldns_rr_ttl(record);
  return ttl > 0x7fffffffU ? 0 : ttl;
}

std::optional<boost::asio::ip::address> AddressOf(const ldns_rr* record) {
  const ldns_rdf* const data = ldns_rr_rd_count(record) == 1 ? ldns_rr_rdf(record, 0) : nullptr;
  if (data == nullptr) return std::nullopt;
  const uint8_t* const from = ldns_rdf_data(data);
  if (TypeOf(record) == RecordType::kA && ldns_rdf_size(data) == 4) {
    boost::asio::ip::address_v4::bytes_type bytes;
    std::copy_n(from, bytes.size(), bytes.begin());
    return boost::asio::ip::address_v4(bytes);
  }
  if (TypeOf(record) == RecordType::kAaaa && ldns_rdf_size(data) == 16) {
    boost::asio::ip::address_v6::bytes_type bytes;
    std::copy_n(from, bytes.size(), bytes.begin());
    return boost::asio::ip::address_v6(bytes);
  }
  return std::nullopt;
}

// What the answer section says of one name.
struct RecordsOfName {
  std::optional<AliasRecord> alias;
  std::vector<AddressRecord> addresses;
};

RecordsOfName RecordsOf(const ldns_rr_list* records, const std::string& name, RecordType type) {
  RecordsOfName found;
  const size_t count = records == nullptr ? 0 : ldns_rr_list_rr_count(records);
  for (size_t at = 0; at < count; ++at) {
    const ldns_rr* const record = ldns_rr_list_rr(records, at);
    if (ldns_rr_get_class(record) != LDNS_RR_CLASS_IN) continue;
    if (TypeOf(record) != type && TypeOf(record) != RecordType::kCname) continue;
    if (NameText(ldns_rr_owner(record)) != name) continue;
    if (TypeOf(record) == RecordType::kCname) {
      if (ldns_rr_rd_count(record) == 1 && !found.alias.has_value())
        found.alias = AliasRecord{NameText(ldns_rr_rdf(record, 0)), TtlOf(record)};
    } else if (const auto address = AddressOf(record);
               address.has_value() && found.addresses.size() < kMaxAnswerAddresses) {
      found.addresses.push_back({*address, TtlOf(record)});
    }
  }
  return found;
}

// Follows the chain of aliases from the question's name on.
void Follow(const ldns_rr_list* records, const DnsQuestion& question, DnsAnswer* answer) {
  std::string name = question.name;
  for (size_t step = 0; step <= kMaxChain; ++step) {
    RecordsOfName found = RecordsOf(records, name, question.type);
    if (!found.alias.has_value() || found.alias->target.empty()) {
      answer->addresses = std::move(found.addresses);
      return;
    }
    name = found.alias->target;
    answer->chain.push_back(*std::move(found.alias));
  }
  answer->chain.clear();  // a circle, or longer than anybody needs
}

// `packet` takes the record; false when a name in it cannot be written.
bool Push(ldns_pkt* packet, ldns_pkt_section section, ldns_rdf* owner, RecordType type, uint32_t ttl,
          ldns_rdf* data) {
  if (owner == nullptr || (section == LDNS_SECTION_ANSWER && data == nullptr)) {
    ldns_rdf_deep_free(owner);
    ldns_rdf_deep_free(data);
    return false;
  }
  ldns_rr* const record = ldns_rr_new();
  ldns_rr_set_owner(record, owner);
  ldns_rr_set_type(record, static_cast<ldns_rr_type>(type));
  ldns_rr_set_class(record, LDNS_RR_CLASS_IN);
  if (section == LDNS_SECTION_QUESTION) {
    ldns_rr_set_question(record, true);
  } else {
    ldns_rr_set_ttl(record, ttl);
    ldns_rr_push_rdf(record, data);
  }
  if (ldns_pkt_push_rr(packet, section, record)) return true;
  ldns_rr_free(record);
  return false;
}

ldns_rdf* NameData(const std::string& text) {
  return ldns_dname_new_frm_str((text + ".").c_str());
}

ldns_rdf* AddressData(const boost::asio::ip::address& address) {
  if (address.is_v4()) {
    const auto bytes = address.to_v4().to_bytes();
    return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_A, bytes.size(), bytes.data());
  }
  const auto bytes = address.to_v6().to_bytes();
  return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_AAAA, bytes.size(), bytes.data());
}

std::string Write(const ldns_pkt* packet) {
  uint8_t* raw = nullptr;
  size_t size = 0;
  if (ldns_pkt2wire(&raw, packet, &size) != LDNS_STATUS_OK) return {};
  const std::unique_ptr<uint8_t, FreeBytes> owned(raw);
  return {reinterpret_cast<const char*>(raw), size};
}

// The reply without records.
Packet EmptyReply(const DnsQuery& query, ResponseCode code, bool truncated) {
  Packet packet(ldns_pkt_new());
  ldns_pkt_set_id(packet.get(), query.id);
  ldns_pkt_set_qr(packet.get(), true);
  ldns_pkt_set_rd(packet.get(), query.recursion_desired);
  ldns_pkt_set_ra(packet.get(), true);
  ldns_pkt_set_tc(packet.get(), truncated);
  ldns_pkt_set_rcode(packet.get(), static_cast<uint8_t>(code));
  if (query.edns_udp_bytes.has_value()) ldns_pkt_set_edns_udp_size(packet.get(), kUsualUdpBytes);
  Push(packet.get(), LDNS_SECTION_QUESTION,
       ldns_dname_new_frm_data(static_cast<uint16_t>(query.name_bytes.size()), query.name_bytes.data()),
       query.question.type, 0, nullptr);
  return packet;
}

bool AddRecords(const DnsQuery& query, const DnsAnswer& answer, ldns_pkt* packet) {
  // The first owner as the client wrote it: a resolver that mixes the case compares it.
  const auto first = [&] {
    return ldns_dname_new_frm_data(static_cast<uint16_t>(query.name_bytes.size()), query.name_bytes.data());
  };
  const std::string* owner = nullptr;
  for (const AliasRecord& alias : answer.chain) {
    if (!Push(packet, LDNS_SECTION_ANSWER, owner == nullptr ? first() : NameData(*owner), RecordType::kCname,
              alias.ttl_seconds, NameData(alias.target)))
      return false;
    owner = &alias.target;
  }
  return std::ranges::all_of(answer.addresses, [&](const AddressRecord& record) {
    return Push(packet, LDNS_SECTION_ANSWER, owner == nullptr ? first() : NameData(*owner),
                record.address.is_v4() ? RecordType::kA : RecordType::kAaaa, record.ttl_seconds,
                AddressData(record.address));
  });
}

}  // namespace

uint32_t DnsAnswer::TtlSeconds() const {
  if (chain.empty() && addresses.empty()) return 0;
  uint32_t lowest = UINT32_MAX;
  for (const AliasRecord& alias : chain) lowest = std::min(lowest, alias.ttl_seconds);
  for (const AddressRecord& record : addresses) lowest = std::min(lowest, record.ttl_seconds);
  return lowest;
}

absl::StatusOr<DnsQuery> ParseQuery(std::string_view bytes) {
  CORDON_ASSIGN_OR_RETURN(const Packet packet, Parse(bytes));
  if (ldns_pkt_qr(packet.get()) || ldns_pkt_get_opcode(packet.get()) != LDNS_PACKET_QUERY ||
      ldns_pkt_ancount(packet.get()) != 0) {
    return Bad("not a query");
  }
  const ldns_rr* const question = OnlyQuestion(packet.get());
  if (question == nullptr) return Bad("not one question of class IN");
  const ldns_rdf* const name = ldns_rr_owner(question);
  DnsQuery query;
  query.id = ldns_pkt_id(packet.get());
  query.question = {.name = NameText(name), .type = TypeOf(question)};
  query.name_bytes.assign(reinterpret_cast<const char*>(ldns_rdf_data(name)), ldns_rdf_size(name));
  query.recursion_desired = ldns_pkt_rd(packet.get());
  if (ldns_pkt_edns(packet.get())) query.edns_udp_bytes = ldns_pkt_edns_udp_size(packet.get());
  return query;
}

absl::StatusOr<std::string> MakeQuery(uint16_t id, const DnsQuestion& question, bool edns) {
  const Packet packet(ldns_pkt_new());
  ldns_pkt_set_id(packet.get(), id);
  ldns_pkt_set_rd(packet.get(), true);
  if (edns) ldns_pkt_set_edns_udp_size(packet.get(), kUsualUdpBytes);
  if (!Push(packet.get(), LDNS_SECTION_QUESTION, NameData(question.name), question.type, 0, nullptr))
    return Bad("the name cannot be asked for");
  std::string bytes = Write(packet.get());
  if (bytes.empty()) return Bad("the question cannot be written");
  return bytes;
}

absl::StatusOr<DnsAnswer> ParseAnswer(std::string_view bytes, uint16_t id, const DnsQuestion& question) {
  CORDON_ASSIGN_OR_RETURN(const Packet packet, Parse(bytes));
  if (!ldns_pkt_qr(packet.get()) || ldns_pkt_get_opcode(packet.get()) != LDNS_PACKET_QUERY)
    return Bad("not an answer");
  if (ldns_pkt_id(packet.get()) != id) return Bad("an answer with another id");
  DnsAnswer answer;
  answer.code = static_cast<ResponseCode>(ldns_pkt_get_rcode(packet.get()));
  const ldns_rr* const asked = OnlyQuestion(packet.get());
  // A server that does not understand the message may answer without its question.
  const bool may_lack =
      answer.code == ResponseCode::kFormatError || answer.code == ResponseCode::kNotImplemented;
  if (asked == nullptr && !(may_lack && ldns_pkt_qdcount(packet.get()) == 0))
    return Bad("an answer without the question");
  if (asked != nullptr && (NameText(ldns_rr_owner(asked)) != question.name || TypeOf(asked) != question.type))
    return Bad("an answer to another question");
  answer.truncated = ldns_pkt_tc(packet.get());
  if (answer.code == ResponseCode::kNoError) Follow(ldns_pkt_answer(packet.get()), question, &answer);
  return answer;
}

std::string MakeReply(const DnsQuery& query, const DnsAnswer& answer, size_t max_bytes) {
  const Packet packet = EmptyReply(query, answer.code, answer.truncated);
  if (AddRecords(query, answer, packet.get())) {
    std::string bytes = Write(packet.get());
    if (!bytes.empty() && bytes.size() <= max_bytes) return bytes;
    return Write(EmptyReply(query, answer.code, true).get());
  }
  return Write(EmptyReply(query, ResponseCode::kServerFailure, false).get());
}

std::string MakeFormatError(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || (static_cast<uint8_t>(bytes[2]) & 0x80U) != 0) return {};
  std::string reply(bytes.substr(0, 3));
  const uint8_t opcode_and_recursion = static_cast<uint8_t>(bytes[2]) & 0x79U;
  const bool ordinary = (opcode_and_recursion & 0x78U) == 0;
  reply[2] = static_cast<char>(0x80U | opcode_and_recursion);
  reply += static_cast<char>(ordinary ? ResponseCode::kFormatError : ResponseCode::kNotImplemented);
  return reply + std::string(kHeaderBytes - 4, '\0');
}

}  // namespace cordon::agent
