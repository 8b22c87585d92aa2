#pragma once

// Names in a profile: the DNS guard of this host, and the addresses that the names have led to
// (docs/levels.md, "Names").

#include <absl/status/statusor.h>

#include <boost/asio/ip/address.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cordon/v1/local.pb.h"
#include "platform/api/packet_filter.h"

namespace cordon::agent {

// What isolation asks of it. Single-threaded, on the agent loop.
class Names {
 public:
  virtual ~Names() = default;

  // From now on the names of `state.action.profile` count, at `state.level`: the guard listens at essential;
  // nothing is left of it at the other levels, but that exact names are looked up at no-lateral. Addresses
  // that are open for names which are still listed stay open, those in `state.opened` too. Call it before the
  // level is put in force, Record afterwards. Never fails for want of a guard: Redirect is empty then, and
  // Notes says why.
  virtual void Begin(const v1::IsolationState& state) = 0;

  // The level of the last Begin is in force: what it does not need any more ends, and names are looked up.
  virtual void Settle() = 0;

  // Writes what is open, and the resolvers, into `state`.
  virtual void Record(v1::IsolationState* state) const = 0;

  // For FilterPolicy: name_sets of the profile's NameList, and dns.
  virtual std::vector<platform::NameSet> Sets() const = 0;
  virtual std::optional<platform::DnsRedirect> Redirect() const = 0;
  // For FilterPolicy, where there is no redirect and the level shuts port 53: whom the agent itself asks for
  // the controllers' names. Empty when no controller has a name.
  virtual std::vector<Endpoint> OwnResolvers() const = 0;

  // Asks OwnResolvers for the addresses of a controller's name; `done` on the loop, and never from inside.
  // FAILED_PRECONDITION where the level leaves that to the system, NOT_FOUND for any other name.
  using Addresses = absl::StatusOr<std::vector<boost::asio::ip::address>>;
  virtual void LookUpController(const std::string& name, std::function<void(Addresses)> done) = 0;

  // Asks the guard as a program of this host does, for a name that it refuses by itself. `done` on the loop
  // and never from inside: OK when it did so within some seconds, or else why not. Not at all where the guard
  // is not this process's.
  virtual void AskGuard(std::function<void(absl::Status)> done) = 0;

  // Names that could not be looked up, and other things an operator should know. They are no leaks.
  virtual std::vector<std::string> Notes() const = 0;

  enum class Change { kAddresses, kResolvers };
  // `listener` puts the changed sets (or resolvers) into the kernel; addresses are handed out only after it
  // has returned OK.
  virtual void OnChange(std::function<absl::Status(Change)> listener) = 0;

  // Closes what has lapsed, looks names up again, notices other resolvers. Call about every second.
  virtual void Tick() = 0;
};

}  // namespace cordon::agent
