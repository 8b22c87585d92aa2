#include "agent/isolation/probes.h"
#include "platform/api/packet_sender.h"

namespace cordon::agent {
namespace {

class RealEscapeProbe final : public EscapeProbe {
 public:
  Outcome TryToSend(const ProbePacket& packet) override { return OutcomeOf(Send(packet)); }
  Outcome TryAllowed(const AllowedPacket& packet) override {
    return OutcomeOf(sender_->Dud(packet.protocol, packet.target, packet.program_tag));
  }

 private:
  static Outcome OutcomeOf(platform::SendOutcome outcome) {
    switch (outcome) {
      case platform::SendOutcome::kSent:
        return Outcome::kLeft;
      case platform::SendOutcome::kBlocked:
        return Outcome::kBlocked;
      case platform::SendOutcome::kNotPossible:
        break;
    }
    return Outcome::kNotPossible;
  }

  platform::SendOutcome Send(const ProbePacket& packet) {
    switch (packet.kind) {
      case ProbePacket::Kind::kUdp:
        return sender_->Udp(packet.target);
      case ProbePacket::Kind::kTcpSyn:
        return sender_->TcpSyn(packet.target);
      case ProbePacket::Kind::kFrame:
        return sender_->Frame(packet.interface, packet.target);
    }
    return platform::SendOutcome::kNotPossible;
  }

  const std::unique_ptr<platform::PacketSender> sender_ = platform::MakePacketSender();
};

}  // namespace

std::unique_ptr<EscapeProbe> MakeEscapeProbe() {
  return std::make_unique<RealEscapeProbe>();
}

}  // namespace cordon::agent
