#pragma once

// DNS messages written byte by byte, so that tests do not judge the agent's code by itself.

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cordon::testing {

inline constexpr uint16_t kTypeA = 1;
inline constexpr uint16_t kTypeCname = 5;
inline constexpr uint16_t kTypeText = 16;
inline constexpr uint16_t kTypeAaaa = 28;
inline constexpr uint16_t kTypeHttps = 65;

inline std::string Number16(unsigned value) {
  return {static_cast<char>(value >> 8U & 0xffU), static_cast<char>(value & 0xffU)};
}

// "a.example" as labels; any bytes but dots.
inline std::string WireName(std::string_view name) {
  std::string wire;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    wire += static_cast<char>(label.size());
    wire += label;
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  return wire + '\0';
}

inline std::string WireHeader(unsigned id, unsigned flags, unsigned questions, unsigned answers,
                              unsigned additional = 0) {
  return Number16(id) + Number16(flags) + Number16(questions) + Number16(answers) + Number16(0) +
         Number16(additional);
}

inline std::string WireQuestion(std::string_view name, uint16_t type, unsigned question_class = 1) {
  return WireName(name) + Number16(type) + Number16(question_class);
}

inline std::string WireQuery(unsigned id, std::string_view name, uint16_t type) {
  return WireHeader(id, 0x0100, 1, 0) + WireQuestion(name, type);
}

// The pseudo-record by which a client says how much it takes, with an option of its own.
inline std::string WireEdns(unsigned udp_bytes, std::string_view option = "") {
  const std::string data =
      option.empty()
          ? ""
          : Number16(65'001) + Number16(static_cast<unsigned>(option.size())) + std::string(option);
  return std::string(1, '\0') + Number16(41) + Number16(udp_bytes) + std::string(4, '\0') +
         Number16(static_cast<unsigned>(data.size())) + data;
}

inline std::string WireRecord(std::string_view owner, uint16_t type, uint32_t ttl, std::string_view data) {
  return WireName(owner) + Number16(type) + Number16(1) + Number16(ttl >> 16U) + Number16(ttl & 0xffffU) +
         Number16(static_cast<unsigned>(data.size())) + std::string(data);
}

inline std::string WireAddress(std::string_view owner, const std::string& address, uint32_t ttl) {
  const auto parsed = boost::asio::ip::make_address(address);
  std::string data;
  if (parsed.is_v4()) {
    for (const uint8_t byte : parsed.to_v4().to_bytes()) data += static_cast<char>(byte);
  } else {
    for (const uint8_t byte : parsed.to_v6().to_bytes()) data += static_cast<char>(byte);
  }
  return WireRecord(owner, parsed.is_v4() ? kTypeA : kTypeAaaa, ttl, data);
}

inline std::string WireAlias(std::string_view owner, std::string_view target, uint32_t ttl) {
  return WireRecord(owner, kTypeCname, ttl, WireName(target));
}

// A whole answer.
inline std::string WireAnswer(unsigned id, std::string_view name, uint16_t type,
                              const std::vector<std::string>& records, unsigned flags = 0x8180) {
  std::string bytes =
      WireHeader(id, flags, 1, static_cast<unsigned>(records.size())) + WireQuestion(name, type);
  for (const std::string& record : records) bytes += record;
  return bytes;
}

}  // namespace cordon::testing
