#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "platform/api/connections.h"

namespace cordon::testing {

// The live connections of a host, in memory.
class FakeConnections final : public platform::ConnectionTable {
 public:
  // Verbs of a test.
  void Open(platform::Connection connection) {
    connection.cookie = next_cookie_++;
    open_.push_back(connection);
  }
  void FailList(absl::Status status) { list_error_ = std::move(status); }
  const std::vector<platform::Connection>& StillOpen() const { return open_; }
  int Forgotten() const { return forgotten_; }

  absl::StatusOr<std::vector<platform::Connection>> List() override {
    if (!list_error_.ok()) return list_error_;
    return open_;
  }

  absl::Status Reset(const platform::Connection& connection) override {
    const auto erased = std::erase_if(
        open_, [&](const platform::Connection& other) { return other.cookie == connection.cookie; });
    return erased > 0 ? absl::OkStatus() : absl::NotFoundError("no such connection");
  }

  absl::Status ForgetTrackedFlows() override {
    ++forgotten_;
    return absl::OkStatus();
  }

 private:
  absl::Status list_error_;
  std::vector<platform::Connection> open_;
  uint64_t next_cookie_ = 1;
  int forgotten_ = 0;
};

}  // namespace cordon::testing
