#include "agent/names/guard_question.h"

#include <array>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "agent/names/dns_message.h"
#include "common/base/status.h"
#include "common/crypto/random.h"

namespace cordon::agent {
namespace {

using boost::asio::ip::udp;
using boost::system::error_code;

constexpr std::chrono::seconds kPatience(2);

class GuardQuestion : public std::enable_shared_from_this<GuardQuestion> {
 public:
  GuardQuestion(boost::asio::io_context& loop, std::function<void(absl::Status)> done)
      : loop_(loop), socket_(loop), timer_(loop), done_(std::move(done)) {}

  void Ask(const Endpoint& at) {
    std::memcpy(&id_, RandomBytes(sizeof(id_)).data(), sizeof(id_));
    const absl::StatusOr<std::string> query = MakeQuery(id_, question_, false);
    error_code error;
    socket_.open(at.address.is_v4() ? udp::v4() : udp::v6(), error);
    if (!error) socket_.connect({at.address, at.port}, error);
    if (!error && query.ok()) socket_.send(boost::asio::buffer(*query), 0, error);
    if (error || !query.ok()) {
      boost::asio::post(loop_, [self = shared_from_this(), why = error.message()] {
        self->Finish(absl::UnavailableError(why));
      });
      return;
    }
    timer_.expires_after(kPatience);
    timer_.async_wait([self = shared_from_this()](const error_code& stopped) {
      if (!stopped) self->Finish(absl::DeadlineExceededError("no answer"));
    });
    socket_.async_receive(boost::asio::buffer(bytes_),
                          [self = shared_from_this()](const error_code& failed, size_t size) {
                            self->Finish(failed ? absl::UnavailableError(failed.message())
                                                : self->Read({self->bytes_.data(), size}));
                          });
  }

 private:
  absl::Status Read(std::string_view bytes) const {
    CORDON_ASSIGN_OR_RETURN(const DnsAnswer answer, ParseAnswer(bytes, id_, question_));
    if (answer.code == ResponseCode::kRefused) return absl::OkStatus();
    return absl::UnavailableError("somebody else answers in its place");
  }

  void Finish(absl::Status answer) {
    error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
    if (auto done = std::exchange(done_, nullptr)) done(std::move(answer));
  }

  const DnsQuestion question_{.name = "guard-probe.cordon.invalid", .type = RecordType::kA};
  boost::asio::io_context& loop_;
  udp::socket socket_;
  boost::asio::steady_timer timer_;
  std::function<void(absl::Status)> done_;
  uint16_t id_ = 0;
  std::array<char, kPlainUdpBytes> bytes_{};
};

}  // namespace

void AskAtGuard(boost::asio::io_context& loop, const Endpoint& at, std::function<void(absl::Status)> done) {
  std::make_shared<GuardQuestion>(loop, std::move(done))->Ask(at);
}

}  // namespace cordon::agent
