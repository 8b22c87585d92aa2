#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "cordon/v1/gateway.pb.h"
#include "cordon/v1/isolation.pb.h"
#include "cordon/v1/order.pb.h"
#include "cordon/v1/scan.pb.h"

namespace cordon::agent {

// What orders can do to this host: all of it (AUT-4). Called on the agent loop by the OrderGate, which has
// verified the order and, but for isolation, put its sequence on disk. An error's text is for the operator.
class OrderHandler {
 public:
  virtual ~OrderHandler() = default;

  // Returns when it is enforced and read back. Writes the lane's sequence to disk itself, before the effect
  // (ISO-9). The same order again changes nothing.
  virtual absl::StatusOr<v1::Receipt> Isolate(const v1::IsolateAction& action, const std::string& order_id,
                                              uint64_t sequence) = 0;
  virtual absl::StatusOr<v1::Receipt> Release(const v1::ReleaseAction& action, const std::string& order_id,
                                              uint64_t sequence) = 0;
  // The newest order of the isolation lane; sequence 0 before the first.
  virtual v1::LaneState IsolationLane() = 0;
  // How often the host has isolated itself, as its policy allows, since the newest order of that lane.
  virtual uint64_t TimesIsolatedByItself() = 0;
  // What the isolation state asks for, whatever the kernel says.
  virtual v1::Level LevelMeant() = 0;
  // What is enforced, read back now.
  virtual v1::Receipt IsolationReceipt() = 0;

  // Begins it; its progress comes to OrderGate::OnScanProgress, and a refusal of its rules to OnScanRefused.
  virtual absl::Status Scan(const std::string& order_id, const v1::ScanSpec& spec) = 0;
  // Whether the scan is on disk, so that it goes on after a restart: NOT_FOUND or DATA_LOSS when it is not.
  virtual absl::Status FindScan(const std::string& scan_order_id) = 0;
  // Its end is recorded: the host forgets it. Any other: nothing.
  virtual void EndScan(const std::string& scan_order_id) = 0;
  // NOT_FOUND when no such scan runs.
  virtual absl::Status CancelScan(const std::string& scan_order_id) = 0;
  // A paused scan keeps its place, also through a restart. Twice is once. NOT_FOUND when there is no such
  // scan.
  virtual absl::Status PauseScan(const std::string& scan_order_id) = 0;
  virtual absl::Status ResumeScan(const std::string& scan_order_id) = 0;

  // Takes effect whole or not at all. `nullptr`: back to the host's defaults.
  virtual absl::Status SetPolicy(const v1::Policy* policy) = 0;
};

}  // namespace cordon::agent
