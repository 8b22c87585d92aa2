#pragma once

// Calls the agent's door on its own host (decision 0036) as a stock gRPC tool would: the bytes of a request.

#include <filesystem>
#include <string>

namespace cordon::testing {

class LocalCaller {
 public:
  explicit LocalCaller(std::filesystem::path door) : door_(std::move(door)) {}

  // The bytes of the answer, or "error CODE".
  std::string Health(const std::string& part) const;
  std::string Status(bool with_secret) const;

 private:
  std::string Call(const std::string& method, const std::string& request, bool with_secret) const;

  const std::filesystem::path door_;
};

}  // namespace cordon::testing
