#pragma once

// --wait: following an order until every host has ended it.

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "controller/cordonctl/scan_rate.h"
#include "controller/cordonctl/tool.h"

namespace cordon::ctl {

// True when nothing more will come from the host.
bool IsFinal(v1::OrderOutcome::State state);

// What is known of one order so far. Pure.
class OrderProgress {
 public:
  // `order`: judges which containment is a good end of it.
  OrderProgress(const v1::Order& order, std::span<const v1::Host> hosts);

  void Apply(const v1::WatchOrderResponse& message);

  // Nothing more is to be waited for. A host that said it goes dark is not heard again, unless it could not.
  bool Finished() const;
  bool SomeWentDark() const;
  ExitCode Result() const;

  // "12 of 40 done (1 partial), 1 refused, 27 waiting (2 running); slowest: vet-2 43 %, 112.5 MiB/s, 840
  // files/s, 2m10s left".
  std::string Line() const;

  // DONE, though by its own receipt the host is not known to be closed, as was ordered (ISO-7). A partial
  // containment is none of these: the level is enforced, with a hole that is named.
  bool StandsOpen(const v1::OrderOutcome& outcome) const;
  // DONE, and for isolation nothing but what was ordered.
  bool IsClean(const v1::OrderOutcome& outcome) const;

  struct HostOutcome {
    std::string name;
    v1::OrderOutcome outcome;  // UNSPECIFIED: nothing yet
    ScanRate rate;
  };
  const std::map<std::string, HostOutcome>& Hosts() const { return hosts_; }

 private:
  std::string Slowest() const;

  bool leaves_open_ = false;                  // the order
  std::map<std::string, HostOutcome> hosts_;  // by id
  uint32_t expected_ = 0;
};

// What may be believed of an outcome of `order` (ISO-7): DONE of an isolation or a release is proven by the
// receipt that the host signed for this very order, and by nothing else. What is not proven has a receipt
// that claims nothing and says why. Pure.
v1::OrderOutcome WithProof(v1::OrderOutcome outcome, const v1::Order& order, const v1::Host& host,
                           const std::string& ca_pem);

// Follows the order to its end or for `timeout_nanos` (0 = without end), through restarts of the controller.
// A line is redrawn on a terminal; at the end come the outcomes of every host (JSON) or a table of those that
// are not done.
absl::StatusOr<ExitCode> WaitForOrder(const Tool& tool, const Client& client, const v1::Order& order,
                                      std::span<const v1::Host> hosts, int64_t timeout_nanos);

}  // namespace cordon::ctl
