#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>

namespace cordon::testing {

// A TCP relay on 127.0.0.1, in the network namespace of the thread that makes it. It can be slow to deliver,
// it can reset what stands, and it can turn into a black hole: connections stay open and nothing passes.
// Thread-safe.
class Relay {
 public:
  explicit Relay(uint16_t to_port);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay();

  uint16_t Port() const;
  // Connections that stand, and those that come, carry nothing from now on.
  void Swallow();
  // Ends the connections that stand by a reset, both ways. How many these were.
  int Reset();
  // What is read from now on is passed on this much later, each way. Not to be shortened while something is
  // on its way.
  void SetDelay(std::chrono::milliseconds each_way);
  // New connections work again; those that were swallowed stay dead.
  void Restore();
  // Connections accepted so far.
  int Accepted() const;

 private:
  struct State;
  boost::asio::io_context loop_;
  std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace cordon::testing
