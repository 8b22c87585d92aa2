#pragma once

// The way of an order from the command line to its outcomes: whom it hits, consent, signature, submission,
// waiting.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "controller/cordonctl/target.h"
#include "controller/cordonctl/tool.h"

namespace cordon::ctl {

struct OrderOptions {
  TargetOptions target;
  std::string reason;     // --reason
  std::string incident;   // --incident
  std::string valid_for;  // --valid-for: how long an offline host may take it later
  std::string timeout;    // --timeout: how long --wait waits; empty = the command's default
  bool dry_run = false;   // --dry-run
  bool wait = false;      // --wait
  bool yes = false;       // --yes
  int64_t default_timeout_nanos = 0;
};

// Adds the flags that every order has. The target is the command's own business.
void AddOrderFlags(CLI::App* command, OrderOptions* options);

// Takes `draft`, which has its action, through the whole way. kDone when it was accepted (with --wait: done
// everywhere), kFailed when a host refused it or failed, kNotAllAnswered when time ran out, kNeedsSignatures
// when it is a proposal that lacks some (with --wait: still, when time ran out).
absl::StatusOr<ExitCode> GiveOrder(Tool& tool, const OrderOptions& options, v1::Order draft);

struct TrustOrderOptions {
  std::string reason;    // --reason
  std::string incident;  // --incident
  bool yes = false;      // --yes
};

void AddTrustFlags(CLI::App* command, TrustOrderOptions* options);

// Of somebody whose key changes.
struct NewKey {
  EVP_PKEY* key = nullptr;  // signs too: its owner counts by the old bundle with the one and by the new one
                            // with the other
  bool* sent = nullptr;     // set before the order leaves this program
};

// Makes `next` the fleet's trust bundle: says what changes, asks, signs and submits. kDone when it is in
// force, kNeedsSignatures when it is a proposal.
absl::StatusOr<ExitCode> GiveTrustOrder(Tool& tool, const TrustOrderOptions& options,
                                        const v1::TrustBundle& next, NewKey new_key = {});

// The steps that are pure, for themselves.

struct Envelope {
  std::string fleet_id;
  int64_t now_unix_nanos = 0;
  int64_t valid_for_nanos = 0;
  uint64_t newest_sequence = 0;
};

// Fills in id, fleet, times and sequence, and checks the whole. not_before lies five minutes back, because
// hosts' clocks differ.
absl::StatusOr<v1::Order> CompleteOrder(v1::Order draft, const Envelope& envelope);

// True when somebody must consent first: more than one host, or a target that is no list of hosts.
bool NeedsConsent(const v1::Target& target, size_t hosts);

}  // namespace cordon::ctl
