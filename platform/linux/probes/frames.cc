#include "platform/linux/probes/frames.h"

namespace cordon::platform {
namespace {

constexpr uint8_t kTcp = 6;
constexpr uint8_t kUdp = 17;
constexpr uint16_t kUdpHeader = 8;
constexpr size_t kTcpChecksumAt = 16;
constexpr size_t kUdpChecksumAt = 6;
constexpr size_t kIcmpChecksumAt = 2;
constexpr uint16_t kWindow = 1024;
constexpr std::string_view kPayload = "cordon";

void Put8(std::string* out, uint8_t value) {
  out->push_back(static_cast<char>(value));
}
void Put16(std::string* out, uint16_t value) {
  Put8(out, static_cast<uint8_t>(value >> 8));
  Put8(out, static_cast<uint8_t>(value & 0xff));
}
void Put32(std::string* out, uint32_t value) {
  Put16(out, static_cast<uint16_t>(value >> 16));
  Put16(out, static_cast<uint16_t>(value & 0xffff));
}
void PutAddress(std::string* out, const boost::asio::ip::address& address) {
  if (address.is_v4()) {
    Put32(out, address.to_v4().to_uint());
  } else {
    for (const uint8_t byte : address.to_v6().to_bytes()) Put8(out, byte);
  }
}
void Patch16(std::string* bytes, size_t at, uint16_t value) {
  (*bytes)[at] = static_cast<char>(value >> 8);
  (*bytes)[at + 1] = static_cast<char>(value & 0xff);
}

// What TCP and UDP sum beside themselves.
std::string PseudoHeader(const boost::asio::ip::address& source, const boost::asio::ip::address& to,
                         size_t size, uint8_t protocol) {
  std::string pseudo;
  PutAddress(&pseudo, source);
  PutAddress(&pseudo, to);
  Put32(&pseudo, static_cast<uint32_t>(size));
  Put32(&pseudo, protocol);
  return pseudo;
}

// Neither the right checksum nor 0, which over UDP means "not summed".
uint16_t WrongChecksum(uint16_t right) {
  constexpr uint16_t kFlipped = 0x5aa5;
  return right == kFlipped ? 1 : right ^ kFlipped;
}

std::string MakeDatagram(uint16_t source_port, uint16_t to_port) {
  std::string udp;
  Put16(&udp, source_port);
  Put16(&udp, to_port);
  Put16(&udp, static_cast<uint16_t>(kUdpHeader + kPayload.size()));
  Put16(&udp, 0);  // checksum
  return udp.append(kPayload);
}

std::string MakeEchoRequest(bool v6) {
  std::string echo;
  Put16(&echo, v6 ? 0x8000 : 0x0800);  // type, code
  Put16(&echo, 0);                     // checksum
  Put32(&echo, 0x00090001);            // identifier, sequence
  return echo.append(kPayload);
}

}  // namespace

uint16_t InternetChecksum(const std::string& bytes) {
  uint32_t sum = 0;
  for (size_t at = 0; at < bytes.size(); ++at) {
    const auto byte = static_cast<uint8_t>(bytes[at]);
    sum += at % 2 == 0 ? static_cast<uint32_t>(byte) << 8 : byte;
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum & 0xffff);
}

std::string MakeSyn(const boost::asio::ip::address& source, uint16_t source_port, const Endpoint& to) {
  std::string tcp;
  Put16(&tcp, source_port);
  Put16(&tcp, to.port);
  Put32(&tcp, 1);       // sequence
  Put32(&tcp, 0);       // acknowledgement
  Put16(&tcp, 0x5002);  // five words of header, SYN
  Put16(&tcp, kWindow);
  Put32(&tcp, 0);  // checksum, urgent pointer
  Patch16(&tcp, kTcpChecksumAt, InternetChecksum(PseudoHeader(source, to.address, tcp.size(), kTcp) + tcp));
  return tcp;
}

std::string MakeDud(FlowProtocol protocol, const boost::asio::ip::address& source, uint16_t source_port,
                    const Endpoint& to) {
  const auto spoil = [](std::string bytes, size_t at, uint16_t right) {
    Patch16(&bytes, at, WrongChecksum(right));
    return bytes;
  };
  switch (protocol) {
    case FlowProtocol::kTcp: {
      std::string syn = MakeSyn(source, source_port, to);
      Patch16(&syn, kTcpChecksumAt, 0);
      return spoil(syn, kTcpChecksumAt,
                   InternetChecksum(PseudoHeader(source, to.address, syn.size(), kTcp) + syn));
    }
    case FlowProtocol::kUdp: {
      const std::string udp = MakeDatagram(source_port, to.port);
      return spoil(udp, kUdpChecksumAt,
                   InternetChecksum(PseudoHeader(source, to.address, udp.size(), kUdp) + udp));
    }
    case FlowProtocol::kIcmpEcho:
      break;
  }
  const std::string echo = MakeEchoRequest(to.address.is_v6());
  return spoil(echo, kIcmpChecksumAt, InternetChecksum(echo));
}

std::string MakeUdpFrame(const boost::asio::ip::address_v4& source, const Endpoint& to) {
  constexpr uint16_t kIpHeader = 20;
  constexpr size_t kChecksumAt = 10;
  std::string ip;
  Put16(&ip, 0x4500);
  Put16(&ip, static_cast<uint16_t>(kIpHeader + kUdpHeader + kPayload.size()));
  Put32(&ip, 0);       // identification, flags, fragment offset
  Put16(&ip, 0x4011);  // time to live 64, UDP
  Put16(&ip, 0);       // checksum
  static_assert(kUdp == 0x11);
  PutAddress(&ip, source);
  PutAddress(&ip, to.address);
  Patch16(&ip, kChecksumAt, InternetChecksum(ip));
  std::string frame = std::string("\x02\x00\x00\x00\x00\xfe\x02\x00\x00\x00\x00\xfd\x08\x00", 14) + ip;
  return frame + MakeDatagram(9, to.port);  // from the discard port, not summed
}

}  // namespace cordon::platform
