#pragma once

// Two people with a cordonctl each, and a real controller between them (AUT-3).

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "common/base/strings.h"
#include "common/wire/operator_identity.h"
#include "tests/support/ctl_call.h"
#include "tests/support/server_box.h"

namespace cordon::ctl {

class TwoPeople : public ::testing::Test {
 protected:
  using Result = testing::CtlResult;

  TwoPeople() {
    WriteIdentity("alex", box_.Fleet().OperatorId(), box_.Fleet().OperatorKey());
    WriteIdentity("blake", blake_.id, *blake_.key);
  }

  void WriteIdentity(const std::string& name, const std::string& id, EVP_PKEY& key) {
    const TlsIdentity tls = box_.OperatorTls(id);
    const controller::Fleet fleet = testing::Must(box_.Store().GetFleet());
    v1::OperatorIdentity identity;
    identity.set_format(1);
    identity.set_operator_id(id);
    identity.set_name(name);
    identity.set_fleet_id(box_.Fleet().FleetId());
    identity.add_controllers(StrCat("127.0.0.1:", box_.Server().Port()));
    identity.set_ca_pem(box_.Ca().CaPem());
    identity.set_certificate_pem(tls.certificate_pem);
    identity.set_key_pem(tls.key_pem);
    identity.set_signing_key_pem(testing::Must(PrivateKeyToPem(key)));
    identity.set_trust_bundle_sha256(Sha256(fleet.trust_bundle.bundle()));
    identity.set_trust_version(1);
    std::ofstream(File(name)) << WriteOperatorIdentity(identity);
    std::filesystem::permissions(File(name),
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  std::string File(const std::string& name) const { return (folder_ / name).string(); }

  Result Call(const std::string& who, std::vector<std::string> args, const std::string& typed = "") {
    return testing::CallCtl(File(who), std::move(args), typed, WallNowNanos);
  }
  static std::vector<std::string> Dark(const std::vector<std::string>& more = {}) {
    std::vector<std::string> args = {"isolate",    "reception-1", "--level",  "dark",
                                     "--fallback", "hold",        "--reason", "a remote session"};
    return With(std::move(args), more);
  }
  static std::vector<std::string> With(std::vector<std::string> args, const std::vector<std::string>& more) {
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  std::string Newest() {
    v1::Order order;
    order.ParseFromString(testing::Must(box_.Store().ListOrders(1, "")).orders.at(0).order().order());
    return order.order_id();
  }
  // Proposed by alex; its id.
  std::string Propose() {
    const Result proposed = Call("alex", Dark());
    if (proposed.status != 4) throw std::runtime_error(proposed.out + proposed.err);
    return Newest();
  }
  v1::ProposalState StateOf(const std::string& id) {
    return testing::Must(box_.Store().GetOrder(id)).proposal;
  }
  size_t Due() { return testing::Must(box_.Store().OrdersFor(host_.id, {})).size(); }

  testing::TempFolder folder_;
  testing::TestOperator blake_;
  testing::ServerBox box_{
      {}, [this](v1::TrustBundle& bundle) {
        Trust(blake_, {v1::TrustedOperator::ROLE_ISOLATE, v1::TrustedOperator::ROLE_TRUST}, &bundle);
        testing::SetThreshold(v1::Threshold::ACTION_CLASS_ISOLATE_HARD, 2, &bundle);
      }};
  testing::TestHost host_ = box_.AddHost();
};

}  // namespace cordon::ctl
