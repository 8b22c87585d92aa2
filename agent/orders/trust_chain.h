#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "cordon/v1/gateway.pb.h"
#include "cordon/v1/order.pb.h"

namespace cordon::agent {

inline constexpr const char* kTrustOrderFile = "trust-order.pb";

// Who may order what on this host now: the bundle that enrolment pinned, or the one that the newest change of
// trust put in its place (AUT-3). Versions only rise, each change was judged by the bundle before it, and
// what counts is on disk. Not thread-safe: the agent loop's.
class TrustChain {
 public:
  // `root`: the bundle that enrolment pinned. The file is made by Accept and emptied by a new enrolment. When
  // it or the root is damaged there is no bundle in force, and InForce says so: whoever may order is then not
  // known, so nobody may.
  TrustChain(const std::filesystem::path& state_dir, const v1::SignedTrustBundle& root);

  // DATA_LOSS, with what to do, when it is damaged.
  const absl::StatusOr<v1::TrustBundle>& InForce() const { return in_force_; }
  uint64_t Version() const { return in_force_.ok() ? in_force_->version() : 0; }

  // The change of trust that is in force; sequence 0 while it is the pinned bundle.
  const v1::LaneState& Lane() const { return lane_; }
  // The very same order, which changes nothing more.
  bool IsInForce(const v1::SignedOrder& signed_order) const;

  // The CA certificates that controllers are held against: those of the bundle in force, or when it names
  // none, `of_enrollment`.
  std::string Authorities(std::string_view of_enrollment) const;

  // Puts the bundle of `order`, which VerifyOrder gave for `signed_order` and InForce(), in force. It is
  // whole on disk before it is used; after an error, or a power cut at any moment, the old one is in force
  // whole.
  absl::Status Accept(const v1::Order& order, const v1::SignedOrder& signed_order);

 private:
  absl::Status Load();
  void Use(const v1::Order& order, const v1::SignedOrder& signed_order, v1::TrustBundle bundle);

  std::filesystem::path file_;
  absl::StatusOr<v1::TrustBundle> in_force_;
  v1::LaneState lane_;
  std::string order_sha256_;
};

}  // namespace cordon::agent
