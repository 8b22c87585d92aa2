#pragma once

// Who puts rules right that somebody else has changed, for tests/bench/isolate.cc: Cordon, and the two ways
// of isolation_ways.h in a script that looks at the rules without a pause.

#include <memory>
#include <string>

#include "tests/support/net_namespace.h"

namespace cordon::testing {

class Repairer {
 public:
  virtual ~Repairer() = default;
  virtual std::string Name() const = 0;  // as Way::Name
  // Another process deletes the rules; returns the seconds from the end of its change to rules that are right
  // again. Throws when they do not come.
  virtual double EditAndAwaitRepair() = 0;
};

// `entries`: as in Wanted.
std::unique_ptr<Repairer> MakeCordonRepairer(const NetNamespace& host, int entries);
std::unique_ptr<Repairer> MakeScriptRepairer(const NetNamespace& host, int entries);
std::unique_ptr<Repairer> MakeCommandsRepairer(const NetNamespace& host, int entries);

}  // namespace cordon::testing
