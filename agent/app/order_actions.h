#pragma once

#include "agent/app/user_teller.h"
#include "agent/integrity/file_sensor.h"
#include "agent/isolation/isolation.h"
#include "agent/orders/order_handler.h"
#include "agent/scan/scan_runner.h"

namespace cordon::agent {

// Binds what orders may do to the parts that do it. On the agent loop.
class OrderActions final : public OrderHandler {
 public:
  // `default_policy`: what is watched without a policy order, from the settings.
  OrderActions(Isolation& isolation, UserTeller& users, ScanRunner& scans, FileSensor& files,
               v1::Policy default_policy)
      : isolation_(isolation),
        users_(users),
        scans_(scans),
        files_(files),
        default_policy_(std::move(default_policy)) {}

  absl::StatusOr<v1::Receipt> Isolate(const v1::IsolateAction& action, const std::string& order_id,
                                      uint64_t sequence) override {
    users_.Expect(order_id, action.user_message());
    return isolation_.Set(action, order_id, sequence);
  }
  absl::StatusOr<v1::Receipt> Release(const v1::ReleaseAction& action, const std::string& order_id,
                                      uint64_t sequence) override {
    users_.Expect(order_id, action.user_message());
    return isolation_.Release(order_id, sequence);
  }
  v1::LaneState IsolationLane() override { return isolation_.Lane(); }
  uint64_t TimesIsolatedByItself() override { return isolation_.TimesByItself(); }
  v1::Level LevelMeant() override { return isolation_.LevelMeant(); }
  v1::Receipt IsolationReceipt() override { return isolation_.ReadReceipt(); }

  absl::Status Scan(const std::string& order_id, const v1::ScanSpec& spec) override {
    return scans_.Start(order_id, spec);
  }
  absl::Status FindScan(const std::string& scan_order_id) override { return scans_.Find(scan_order_id); }
  void EndScan(const std::string& scan_order_id) override { scans_.Forget(scan_order_id); }
  absl::Status CancelScan(const std::string& scan_order_id) override { return scans_.Cancel(scan_order_id); }
  absl::Status PauseScan(const std::string& scan_order_id) override { return scans_.Pause(scan_order_id); }
  absl::Status ResumeScan(const std::string& scan_order_id) override { return scans_.Resume(scan_order_id); }

  absl::Status SetPolicy(const v1::Policy* policy) override {
    return files_.SetPolicy(policy == nullptr ? default_policy_ : *policy);
  }

 private:
  Isolation& isolation_;
  UserTeller& users_;
  ScanRunner& scans_;
  FileSensor& files_;
  const v1::Policy default_policy_;
};

}  // namespace cordon::agent
