#include "tests/support/relay.h"

#include <array>
#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/packaged_task.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <string>
#include <vector>

namespace cordon::testing {
namespace {

using boost::asio::ip::tcp;

struct Pair {
  explicit Pair(boost::asio::io_context& loop) : client(loop), server(loop) {}
  tcp::socket client;
  tcp::socket server;
  std::array<char, 16384> up{};
  std::array<char, 16384> down{};
  bool dead = false;
};

}  // namespace

struct Relay::State : std::enable_shared_from_this<Relay::State> {
  State(boost::asio::io_context& context, uint16_t port)
      : loop(context),
        acceptor(context, tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), 0)),
        to_port(port) {}

  void Accept() {
    auto pair = std::make_shared<Pair>(loop);
    pairs.push_back(pair);
    acceptor.async_accept(pair->client, [self = shared_from_this(),
                                         pair](const boost::system::error_code& error) {
      if (error) return;
      ++self->accepted;
      boost::system::error_code refused;
      pair->server.connect(tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), self->to_port), refused);
      if (refused) {
        pair->client.close();
      } else {
        self->Pump(pair, pair->client, pair->server, pair->up);
        self->Pump(pair, pair->server, pair->client, pair->down);
      }
      self->Accept();
    });
  }

  void Pump(const std::shared_ptr<Pair>& pair, tcp::socket& from, tcp::socket& to,
            std::array<char, 16384>& buffer) {
    from.async_read_some(
        boost::asio::buffer(buffer), [self = shared_from_this(), pair, &from, &to, &buffer](
                                         const boost::system::error_code& error, size_t size) {
          if (self->swallow) pair->dead = true;
          if (pair->dead) return;  // both sockets stay open: nobody is told
          const std::chrono::milliseconds wait = self->delay;
          if (wait.count() == 0) {
            if (Pass(*pair, to, std::string(buffer.data(), size), error)) self->Pump(pair, from, to, buffer);
            return;
          }
          const auto timer = std::make_shared<boost::asio::steady_timer>(self->loop, wait);
          timer->async_wait([self, pair, &to, timer, error,
                             bytes = std::string(buffer.data(), size)](const boost::system::error_code&) {
            if (!pair->dead) Pass(*pair, to, bytes, error);
          });
          if (!error) self->Pump(pair, from, to, buffer);
        });
  }

  // False when the connection is over.
  static bool Pass(Pair& pair, tcp::socket& to, const std::string& bytes, boost::system::error_code error) {
    if (!error) boost::asio::write(to, boost::asio::buffer(bytes), error);
    if (!error) return true;
    boost::system::error_code ignored;
    pair.client.close(ignored);
    pair.server.close(ignored);
    return false;
  }

  int Reset() {
    int ended = 0;
    for (const std::shared_ptr<Pair>& pair : pairs) {
      if (pair->dead || !pair->server.is_open()) continue;
      boost::system::error_code ignored;
      for (tcp::socket* const end : {&pair->client, &pair->server}) {
        end->set_option(boost::asio::socket_base::linger(true, 0),
                        ignored);  // a reset in the place of an end
        end->close(ignored);
      }
      ++ended;
    }
    return ended;
  }

  boost::asio::io_context& loop;
  tcp::acceptor acceptor;
  const uint16_t to_port;
  std::vector<std::shared_ptr<Pair>> pairs;
  std::atomic<bool> swallow = false;
  std::atomic<std::chrono::milliseconds> delay{std::chrono::milliseconds(0)};
  std::atomic<int> accepted = 0;
};

Relay::Relay(uint16_t to_port) : state_(std::make_shared<State>(loop_, to_port)) {
  state_->Accept();
  thread_ = std::thread([this] { loop_.run(); });
}

Relay::~Relay() {
  loop_.stop();
  thread_.join();
}

uint16_t Relay::Port() const {
  return state_->acceptor.local_endpoint().port();
}
void Relay::Swallow() {
  state_->swallow = true;
}
int Relay::Reset() {
  return boost::asio::post(loop_, std::packaged_task<int()>([this] { return state_->Reset(); })).get();
}
void Relay::SetDelay(std::chrono::milliseconds each_way) {
  state_->delay = each_way;
}
void Relay::Restore() {
  state_->swallow = false;
}
int Relay::Accepted() const {
  return state_->accepted;
}

}  // namespace cordon::testing
