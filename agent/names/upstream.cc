#include "agent/names/upstream.h"

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstring>
#include <string>
#include <utility>

#include "common/base/status.h"
#include "common/crypto/random.h"
#include "platform/api/socket_tag.h"

namespace cordon::agent {
namespace {

using boost::asio::ip::tcp;
using boost::asio::ip::udp;
using boost::system::error_code;

constexpr std::chrono::milliseconds kFirstPatience(1'500);
constexpr std::chrono::milliseconds kSecondPatience(2'500);
constexpr int kMaxStrangeDatagrams = 32;  // per resolver: somebody tries to guess the id

uint16_t RandomId() {
  uint16_t id = 0;
  std::memcpy(&id, RandomBytes(sizeof(id)).data(), sizeof(id));
  return id;
}

}  // namespace

class Upstream::Question : public std::enable_shared_from_this<Upstream::Question> {
 public:
  Question(boost::asio::io_context& loop, DnsQuestion question, const std::vector<Endpoint>& resolvers,
           std::function<void(absl::StatusOr<DnsAnswer>)> done)
      : udp_(loop),
        tcp_(loop),
        timer_(loop),
        question_(std::move(question)),
        resolvers_(resolvers),
        done_(std::move(done)) {}

  void Start() {
    if (attempt_ >= 2 * resolvers_.size()) return Finish(last_error_);
    const bool first_round = attempt_ < resolvers_.size();
    resolver_ = resolvers_[attempt_ % resolvers_.size()];
    ++attempt_;
    id_ = RandomId();
    strange_ = 0;
    partial_.reset();
    Arm(first_round ? kFirstPatience : kSecondPatience);
    if (const absl::Status sent = Send(); !sent.ok()) return Next(sent);
    Receive();
  }

  // Forgets whom to tell.
  void Abandon() {
    done_ = nullptr;
    Quiet();
  }

 private:
  void Quiet() {
    error_code ignored;
    udp_.close(ignored);
    tcp_.close(ignored);
    timer_.cancel();
    ++generation_;  // what is still on its way to a handler is of an earlier attempt
  }

  void Finish(absl::StatusOr<DnsAnswer> answer) {
    Quiet();
    if (auto done = std::exchange(done_, nullptr)) done(std::move(answer));
  }

  void Next(const absl::Status& why) {
    Quiet();
    last_error_ = absl::UnavailableError(StrCat("resolver ", FormatEndpoint(resolver_), ": ", Message(why)));
    Start();
  }

  // A handler that does nothing when its attempt is over.
  template <typename Handler>
  auto Guarded(Handler handler) {
    return [self = shared_from_this(), generation = generation_, handler = std::move(handler)](
               const error_code& error, auto... rest) {
      if (generation == self->generation_) handler(error, rest...);
    };
  }

  void Arm(std::chrono::milliseconds patience) {
    timer_.expires_after(patience);
    timer_.async_wait(Guarded([this](const error_code& error) {
      if (error) return;
      if (partial_.has_value()) return Finish(*std::move(partial_));
      Next(absl::DeadlineExceededError("no answer"));
    }));
  }

  absl::Status Send() {
    error_code error;
    udp_.open(resolver_.address.is_v4() ? udp::v4() : udp::v6(), error);
    if (error) return absl::UnavailableError(error.message());
    CORDON_RETURN_IF_ERROR(platform::TagAgentSocket(static_cast<int>(udp_.native_handle())));
    // Connected: the kernel takes datagrams of this resolver only, and picks the port.
    udp_.connect({resolver_.address, resolver_.port}, error);
    if (error) return absl::UnavailableError(error.message());
    CORDON_ASSIGN_OR_RETURN(bytes_, MakeQuery(id_, question_, edns_));
    udp_.send(boost::asio::buffer(bytes_), 0, error);
    return error ? absl::UnavailableError(error.message()) : absl::OkStatus();
  }

  void Receive() {
    udp_.async_receive(boost::asio::buffer(datagram_), Guarded([this](const error_code& error, size_t size) {
                         if (error) return Next(absl::UnavailableError(error.message()));
                         auto answer = ParseAnswer({datagram_.data(), size}, id_, question_);
                         if (answer.ok()) return Take(*std::move(answer));
                         if (++strange_ > kMaxStrangeDatagrams) return Next(answer.status());
                         Receive();
                       }));
  }

  void Take(DnsAnswer answer) {
    const ResponseCode code = answer.code;
    if (edns_ && (code == ResponseCode::kFormatError || code == ResponseCode::kNotImplemented)) {
      edns_ = false;  // an old resolver: once more, plainly
      --attempt_;
      return Next(absl::UnavailableError("it does not understand the question"));
    }
    if (code != ResponseCode::kNoError && code != ResponseCode::kNameError) {
      return Next(absl::UnavailableError(StrCat("it answers with code ", static_cast<int>(code))));
    }
    if (answer.truncated && !tcp_.is_open()) {
      // Where DNS over TCP is shut, what came is better than nothing.
      if (!answer.addresses.empty()) partial_ = std::move(answer), partial_->truncated = false;
      return AskByTcp();
    }
    Finish(std::move(answer));
  }

  void AskByTcp() {
    error_code error;
    udp_.close(error);
    tcp_.open(resolver_.address.is_v4() ? tcp::v4() : tcp::v6(), error);
    if (error) return TcpFailed(error.message());
    if (const auto tagged = platform::TagAgentSocket(static_cast<int>(tcp_.native_handle())); !tagged.ok())
      return TcpFailed(Message(tagged));
    Arm(kSecondPatience);
    tcp_.async_connect({resolver_.address, resolver_.port}, Guarded([this](const error_code& refused) {
                         if (refused) return TcpFailed(refused.message());
                         WriteByTcp();
                       }));
  }

  void WriteByTcp() {
    id_ = RandomId();
    const auto query = MakeQuery(id_, question_, edns_);
    if (!query.ok()) return TcpFailed(Message(query.status()));
    bytes_ = {static_cast<char>(query->size() >> 8U), static_cast<char>(query->size() & 0xffU)};
    bytes_ += *query;
    boost::asio::async_write(tcp_, boost::asio::buffer(bytes_),
                             Guarded([this](const error_code& error, size_t) {
                               if (error) return TcpFailed(error.message());
                               ReadByTcp();
                             }));
  }

  void ReadByTcp() {
    boost::asio::async_read(tcp_, boost::asio::buffer(length_),
                            Guarded([this](const error_code& error, size_t) {
                              if (error) return TcpFailed(error.message());
                              bytes_.resize(size_t{length_[0]} << 8U | length_[1]);
                              boost::asio::async_read(tcp_, boost::asio::buffer(bytes_),
                                                      Guarded([this](const error_code& cut, size_t) {
                                                        if (cut) return TcpFailed(cut.message());
                                                        auto answer = ParseAnswer(bytes_, id_, question_);
                                                        if (!answer.ok())
                                                          return TcpFailed(Message(answer.status()));
                                                        answer->truncated = false;  // there is no larger form
                                                        Take(*std::move(answer));
                                                      }));
                            }));
  }

  void TcpFailed(std::string_view why) {
    if (partial_.has_value()) return Finish(*std::move(partial_));
    Next(absl::UnavailableError(StrCat("over TCP: ", why)));
  }

  udp::socket udp_;
  tcp::socket tcp_;
  boost::asio::steady_timer timer_;
  const DnsQuestion question_;
  const std::vector<Endpoint> resolvers_;
  std::function<void(absl::StatusOr<DnsAnswer>)> done_;
  Endpoint resolver_;
  size_t attempt_ = 0;
  uint64_t generation_ = 0;
  uint16_t id_ = 0;
  int strange_ = 0;
  bool edns_ = true;
  std::optional<DnsAnswer> partial_;
  std::string bytes_;
  std::array<char, 4'096> datagram_{};
  std::array<uint8_t, 2> length_{};
  absl::Status last_error_ = absl::UnavailableError("no resolver of this host is known");
};

Upstream::Upstream(boost::asio::io_context& loop) : loop_(loop) {}

Upstream::~Upstream() {
  for (const auto& question : under_way_) question->Abandon();
}

void Upstream::Ask(const DnsQuestion& question, const std::vector<Endpoint>& resolvers, Done done) {
  const auto asked = std::make_shared<std::weak_ptr<Question>>();
  auto finish = [this, asked, done = std::move(done)](absl::StatusOr<DnsAnswer> answer) {
    under_way_.erase(asked->lock());
    done(std::move(answer));
  };
  const auto started = std::make_shared<Question>(loop_, question, resolvers, std::move(finish));
  *asked = started;
  under_way_.insert(started);
  boost::asio::post(loop_, [started] { started->Start(); });
}

}  // namespace cordon::agent
