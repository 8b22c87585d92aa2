#pragma once

// Three ways to change what a host may do, for tests/bench/isolate.cc: Cordon's, and two that people use
// today.

#include <memory>
#include <string>
#include <vector>

#include "cordon/v1/order.pb.h"
#include "tests/support/net_namespace.h"

namespace cordon::testing {

// The rules to go to: `entries` addresses to which TCP 443 is open, a different list when `second`; the
// pump's allowed port both ways; nothing else.
struct Wanted {
  int entries = 10;
  bool second = false;
};
std::vector<std::string> AddressesOf(const Wanted& wanted);
v1::IsolateAction ActionFor(const Wanted& wanted);  // Cordon's order for them

class Way {
 public:
  virtual ~Way() = default;
  // "cordon", "nft-script", "nft-commands"
  virtual std::string Name() const = 0;
  // Goes to `wanted` and returns how long it took. Throws when it is refused.
  virtual double Change(const Wanted& wanted) = 0;
};

// Order → state on disk → one transaction → connections cut → read back: what Receipt.apply_nanos counts.
std::unique_ptr<Way> MakeCordonWay(const NetNamespace& host);
// A script with the whole table, which is replaced in one `nft -f`. Nothing is read back or kept on disk.
std::unique_ptr<Way> MakeScriptWay(const NetNamespace& host);
// The old table deleted, then a table, chains and one rule per entry, each by an `nft` of its own.
std::unique_ptr<Way> MakeCommandsWay(const NetNamespace& host);

}  // namespace cordon::testing
