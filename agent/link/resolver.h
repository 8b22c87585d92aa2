#pragma once

#include <absl/status/statusor.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cordon::agent {

// Asks the system for the addresses of a name. Blocks for as long as the system's resolver does.
using Lookup = std::function<absl::StatusOr<std::vector<boost::asio::ip::address>>(const std::string& name)>;

absl::StatusOr<std::vector<boost::asio::ip::address>> SystemLookup(const std::string& name);

// Runs lookups beside the agent loop: a system resolver that hangs (DNS was cut) holds up nothing, not even
// the end of the program. Lives on the loop.
class Resolver {
 public:
  using Done = std::function<void(absl::StatusOr<std::vector<boost::asio::ip::address>>)>;

  Resolver(boost::asio::io_context& loop, Lookup lookup);
  ~Resolver();  // lookups that are under way are forgotten

  // `done` on the loop. A name whose lookup is still under way gets no second one, and `done` is dropped
  // then.
  void Resolve(const std::string& name, Done done);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace cordon::agent
