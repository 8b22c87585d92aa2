#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>

#include "agent/isolation/probes.h"

namespace cordon::agent {
namespace {

class UdpEscapeProbe final : public EscapeProbe {
 public:
  Outcome TryToSend(const Endpoint& target) override {
    namespace ip = boost::asio::ip;
    boost::asio::io_context context;
    ip::udp::socket socket(context);
    boost::system::error_code error;
    socket.open(target.address.is_v4() ? ip::udp::v4() : ip::udp::v6(), error);
    if (error) return Outcome::kNoRoute;  // no such address family here
    socket.send_to(boost::asio::buffer("cordon", 6), ip::udp::endpoint(target.address, target.port), 0,
                   error);
    if (!error) return Outcome::kLeft;
    const bool refused_by_filter = error == boost::system::errc::operation_not_permitted ||
                                   error == boost::system::errc::permission_denied;
    return refused_by_filter ? Outcome::kBlocked : Outcome::kNoRoute;
  }
};

}  // namespace

std::unique_ptr<EscapeProbe> MakeEscapeProbe() {
  return std::make_unique<UdpEscapeProbe>();
}

}  // namespace cordon::agent
