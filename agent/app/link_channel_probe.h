#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>

#include "agent/isolation/probes.h"
#include "agent/link/link.h"

namespace cordon::agent {

// Proves the agent's channel by a heartbeat over the link (ISO-4): on the connection that stands, and when
// that gives no answer, on a new one, because rules that cut an old connection may well let a new one
// through. On the agent loop.
class LinkChannelProbe final : public ChannelProbe {
 public:
  explicit LinkChannelProbe(boost::asio::io_context& loop) : loop_(loop) {}

  // From when the link exists; it must outlive the last Prove. Until then every proof fails.
  void Use(Link* link) { link_ = link; }

  void Prove(std::function<void(absl::Status)> done) override;

 private:
  boost::asio::io_context& loop_;
  Link* link_ = nullptr;
};

}  // namespace cordon::agent
