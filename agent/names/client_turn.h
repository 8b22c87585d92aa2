#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/names/guard_server.h"
#include "platform/api/dns_client.h"

namespace cordon::agent {

// Where the system's DNS client has to be told to ask the guard: keeps it told while the guard is wanted, and
// only then. What an agent that was killed has left is put right at the first Tick. Lives on the agent loop.
class ClientTurn {
 public:
  // `client`: nullptr where there is none to be told; everything below then does nothing.
  ClientTurn(platform::DnsClient* client, GuardServer& server) : client_(client), server_(server) {}

  bool Exists() const { return client_ != nullptr; }

  // The guard listens where the client can ask it, if that is free.
  void Listen();

  // Turns the client to where the guard listens; back when the guard is not wanted, or listens nowhere.
  void Settle(bool wanted, int64_t now_boot_nanos);

  // Settle, and Listen before it, every ten seconds, and at once when neither has happened yet: others may
  // have taken the rule away, or given the port free.
  void Tick(bool wanted, int64_t now_boot_nanos);

  // Where the system's client is told to ask; empty while it is not.
  const std::vector<boost::asio::ip::address>& Guards() const { return guards_; }

  // What is wrong with it, for an operator.
  std::vector<std::string> Notes() const;

 private:
  platform::DnsClient* const client_;
  GuardServer& server_;
  std::vector<boost::asio::ip::address> guards_;  // where the guard listens
  std::string listening_problem_;
  std::string turning_problem_;
  std::vector<std::string> obstacles_;
  bool settled_ = false;
  int64_t settled_at_ = 0;
};

}  // namespace cordon::agent
