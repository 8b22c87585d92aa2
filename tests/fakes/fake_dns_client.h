#pragma once

#include <string>
#include <vector>

#include "platform/api/dns_client.h"

namespace cordon::testing {

// The system's DNS client, held in memory. Guards listen on a port that needs no rights.
class FakeDnsClient final : public platform::DnsClient {
 public:
  explicit FakeDnsClient(std::vector<boost::asio::ip::address> addresses, uint16_t port)
      : addresses_(std::move(addresses)), port_(port) {}

  // Verbs of a test.
  void Fail(absl::Status status) { error_ = std::move(status); }
  void Obstruct(std::string obstacle) { obstacles_ = {std::move(obstacle)}; }
  // Somebody deletes the rule.
  void Lose() { asked_.clear(); }
  // Whom it asks; empty: whom it would ask without the agent.
  const std::vector<boost::asio::ip::address>& Asked() const { return asked_; }
  int Calls() const { return calls_; }

  std::vector<boost::asio::ip::address> GuardAddresses() const override { return addresses_; }
  uint16_t GuardPort() const override { return port_; }
  absl::Status Turn(const std::vector<boost::asio::ip::address>& guards) override {
    ++calls_;
    if (error_.ok()) asked_ = guards;
    return error_;
  }
  absl::Status TurnBack() override {
    ++calls_;
    if (error_.ok()) asked_.clear();
    return error_;
  }
  std::vector<std::string> Obstacles() override { return obstacles_; }

 private:
  const std::vector<boost::asio::ip::address> addresses_;
  const uint16_t port_;
  std::vector<boost::asio::ip::address> asked_;
  std::vector<std::string> obstacles_;
  absl::Status error_;
  int calls_ = 0;
};

}  // namespace cordon::testing
