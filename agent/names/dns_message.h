#pragma once

// DNS messages (RFC 1035, 6891) as far as the guard speaks them. Pure. Bytes come from programs of this host
// and from the network: everything is bounded, and what is not understood is an error (AUT-6).

#include <absl/status/statusor.h>

#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cordon::agent {

inline constexpr size_t kMaxDnsBytes = 65'535;
inline constexpr size_t kPlainUdpBytes = 512;    // what a client takes that does not say more
inline constexpr size_t kUsualUdpBytes = 1'232;  // what passes every path without fragments
inline constexpr size_t kMaxAnswerAddresses = 256;
inline constexpr size_t kMaxChain = 16;

// Other numbers occur too.
enum class RecordType : uint16_t { kA = 1, kCname = 5, kAaaa = 28, kSvcb = 64, kHttps = 65 };

enum class ResponseCode : uint8_t {
  kNoError = 0,
  kFormatError = 1,
  kServerFailure = 2,
  kNameError = 3,
  kNotImplemented = 4,
  kRefused = 5
};

struct DnsQuestion {
  std::string name;  // lower case, without the last dot; unusual bytes are escaped as "\ddd"
  RecordType type = RecordType::kA;
  friend bool operator==(const DnsQuestion&, const DnsQuestion&) = default;
  friend auto operator<=>(const DnsQuestion&, const DnsQuestion&) = default;
};

// What a program asks.
struct DnsQuery {
  uint16_t id = 0;
  DnsQuestion question;
  std::string name_bytes;  // the name as it was written, in wire form: resolvers compare the case
  uint16_t question_class = 1;
  bool recursion_desired = false;
  std::optional<uint16_t> edns_udp_bytes;  // the size that the client takes; nothing without EDNS
};

struct AliasRecord {
  std::string target;  // as DnsQuestion::name
  uint32_t ttl_seconds = 0;
  friend bool operator==(const AliasRecord&, const AliasRecord&) = default;
};

struct AddressRecord {
  boost::asio::ip::address address;
  uint32_t ttl_seconds = 0;
  friend bool operator==(const AddressRecord&, const AddressRecord&) = default;
};

// What a resolver says of one question, with nothing else that its message held.
struct DnsAnswer {
  ResponseCode code = ResponseCode::kNoError;
  bool truncated = false;
  std::vector<AliasRecord> chain;        // from the question's name on
  std::vector<AddressRecord> addresses;  // of the chain's last name
  uint32_t TtlSeconds() const;           // the lowest of all records; 0 when there are none
};

// INVALID_ARGUMENT when `bytes` are not exactly one question of class and type, asked in the ordinary way.
absl::StatusOr<DnsQuery> ParseQuery(std::string_view bytes);

// The question as the guard asks it: nothing in it is the client's but name and type. `edns`: tells the
// resolver that answers of kUsualUdpBytes are taken.
absl::StatusOr<std::string> MakeQuery(uint16_t id, const DnsQuestion& question, bool edns);

// INVALID_ARGUMENT when `bytes` are no answer to `question` with this id. Records that are not on the
// question's chain of aliases are left out.
absl::StatusOr<DnsAnswer> ParseAnswer(std::string_view bytes, uint16_t id, const DnsQuestion& question);

// The message for the client; with the truncation mark and no records when it would be longer than
// `max_bytes`.
std::string MakeReply(const DnsQuery& query, const DnsAnswer& answer, size_t max_bytes);
inline std::string MakeReply(const DnsQuery& query, ResponseCode code) {
  return MakeReply(query, DnsAnswer{.code = code, .truncated = false, .chain = {}, .addresses = {}},
                   kPlainUdpBytes);
}

// For bytes that ParseQuery does not take: "format error" with the id that they seem to have; empty when they
// are no query at all and must not be answered.
std::string MakeFormatError(std::string_view bytes);

}  // namespace cordon::agent
