#pragma once

#include <absl/status/statusor.h>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "agent/names/dns_message.h"
#include "common/base/network.h"

namespace cordon::agent {

// Asks the host's resolvers, with the agent's tagged sockets: no other program reaches them (the permit is
// bound to the tag). Each question has a socket of its own with a port that the system picks at random, a
// random id, and is written anew. Answers count only from the resolver that was asked, with the same id and
// question. A truncated answer is asked for again over TCP. Lives on the agent loop.
class Upstream {
 public:
  using Done = std::function<void(absl::StatusOr<DnsAnswer>)>;

  explicit Upstream(boost::asio::io_context& loop);
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;
  ~Upstream();  // questions under way are forgotten

  // The resolvers are asked one after the other, twice, until one answers; UNAVAILABLE says what went wrong
  // with the last one. Never calls `done` from inside Ask.
  void Ask(const DnsQuestion& question, const std::vector<Endpoint>& resolvers, Done done);

  class Question;

 private:
  boost::asio::io_context& loop_;
  std::set<std::shared_ptr<Question>> under_way_;
};

}  // namespace cordon::agent
