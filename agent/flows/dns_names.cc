#include "agent/flows/dns_names.h"

#include <ldns/ldns.h>

#include <algorithm>
#include <memory>
#include <set>

namespace cordon::agent {
namespace {

constexpr size_t kHeaderBytes = 12;
constexpr size_t kMaxRecords = 256;
constexpr int kMaxChain = 16;

struct FreePacket {
  void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};
struct FreeText {
  void operator()(char* text) const { LDNS_FREE(text); }
};

bool IsNameByte(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' ||
         byte == '.';
}

// Lower case, without the last dot; empty for names with unusual bytes, which no profile can hold.
std::string NameOf(const ldns_rdf* name) {
  if (name == nullptr || ldns_rdf_get_type(name) != LDNS_RDF_TYPE_DNAME) return {};
  const std::unique_ptr<char, FreeText> text(ldns_rdf2str(name));
  if (text == nullptr) return {};
  std::string plain = text.get();
  std::ranges::transform(plain, plain.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (plain.ends_with('.')) plain.pop_back();
  return plain.size() <= 253 && std::ranges::all_of(plain, IsNameByte) ? plain : std::string();
}

std::optional<boost::asio::ip::address> AddressOf(const ldns_rr* record) {
  const ldns_rdf* const data = ldns_rr_rdf(record, 0);
  if (data == nullptr) return std::nullopt;
  const uint8_t* const bytes = ldns_rdf_data(data);
  if (ldns_rr_get_type(record) == LDNS_RR_TYPE_A && ldns_rdf_size(data) == 4) {
    boost::asio::ip::address_v4::bytes_type v4;
    std::copy_n(bytes, v4.size(), v4.begin());
    return boost::asio::ip::address_v4(v4);
  }
  if (ldns_rr_get_type(record) == LDNS_RR_TYPE_AAAA && ldns_rdf_size(data) == 16) {
    boost::asio::ip::address_v6::bytes_type v6;
    std::copy_n(bytes, v6.size(), v6.begin());
    return boost::asio::ip::address_v6(v6);
  }
  return std::nullopt;
}

// The question's name and everything that it is an alias of.
std::set<std::string> Chain(const std::string& name, const ldns_rr_list* records, size_t count) {
  std::set<std::string> chain = {name};
  for (int pass = 0; pass < kMaxChain; ++pass) {
    const size_t before = chain.size();
    for (size_t at = 0; at < count; ++at) {
      const ldns_rr* const record = ldns_rr_list_rr(records, at);
      if (ldns_rr_get_type(record) != LDNS_RR_TYPE_CNAME || !chain.contains(NameOf(ldns_rr_owner(record))))
        continue;
      const std::string target = NameOf(ldns_rr_rdf(record, 0));
      if (!target.empty()) chain.insert(target);
    }
    if (chain.size() == before) break;
  }
  return chain;
}

}  // namespace

std::optional<SeenName> ReadOverheardAnswer(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || bytes.size() > kMaxSeenDnsBytes) return std::nullopt;
  ldns_pkt* parsed = nullptr;
  const auto* const data = reinterpret_cast<const uint8_t*>(bytes.data());
  if (ldns_wire2pkt(&parsed, data, bytes.size()) != LDNS_STATUS_OK) return std::nullopt;
  const std::unique_ptr<ldns_pkt, FreePacket> packet(parsed);
  if (!ldns_pkt_qr(packet.get()) || ldns_pkt_get_rcode(packet.get()) != LDNS_RCODE_NOERROR)
    return std::nullopt;
  const ldns_rr_list* const questions = ldns_pkt_question(packet.get());
  const ldns_rr_list* const records = ldns_pkt_answer(packet.get());
  if (questions == nullptr || records == nullptr || ldns_rr_list_rr_count(questions) != 1)
    return std::nullopt;
  SeenName seen;
  seen.name = NameOf(ldns_rr_owner(ldns_rr_list_rr(questions, 0)));
  if (seen.name.empty()) return std::nullopt;
  const size_t count = std::min(ldns_rr_list_rr_count(records), kMaxRecords);
  const std::set<std::string> chain = Chain(seen.name, records, count);
  for (size_t at = 0; at < count && seen.addresses.size() < kMaxSeenAddresses; ++at) {
    const ldns_rr* const record = ldns_rr_list_rr(records, at);
    if (!chain.contains(NameOf(ldns_rr_owner(record)))) continue;
    if (const auto address = AddressOf(record)) seen.addresses.push_back(*address);
  }
  if (seen.addresses.empty()) return std::nullopt;
  return seen;
}

}  // namespace cordon::agent
