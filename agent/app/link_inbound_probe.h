#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "agent/isolation/probes.h"
#include "cordon/v1/gateway.pb.h"

namespace cordon::agent {

class Link;

// Asks the controller for one packet to a fresh socket of this host (ISO-7). One attempt at a time. On the
// agent loop.
class LinkInboundProbe final : public InboundProbe {
 public:
  explicit LinkInboundProbe(boost::asio::io_context& loop) : loop_(loop) {}

  // From when the link exists; until then nothing is possible.
  void Use(Link* link) { link_ = link; }

  void Try(const Attempt& attempt, std::function<void(const Result&)> done) override;
  // Ends an attempt that is under way; its `done` is not called.
  void Stop();
  // The controller's answer to a request.
  void OnSent(const v1::InboundProbeSent& sent);

 private:
  struct Waiting;
  struct Stranger;

  void AwaitConnection(const std::shared_ptr<Waiting>& waiting, const std::function<void()>& arrived);
  bool Listen(const Attempt& attempt, bool v4, const std::shared_ptr<Waiting>& waiting);
  static void AwaitNonce(const std::shared_ptr<Waiting>& waiting, const std::function<void()>& arrived);
  void Ask(const v1::InboundProbeRequest& request);
  void Finish(Result::Outcome outcome);
  void NotPossible(std::function<void(const Result&)> done);

  boost::asio::io_context& loop_;
  Link* link_ = nullptr;
  std::shared_ptr<Waiting> waiting_;
  uint64_t last_id_ = 0;
  std::chrono::steady_clock::time_point last_sent_;
};

}  // namespace cordon::agent
