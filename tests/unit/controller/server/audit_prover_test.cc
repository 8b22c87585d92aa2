#include "controller/server/audit_prover.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/store_box.h"

namespace cordon::controller {
namespace {

using testing::Must;
using testing::StoreBox;

struct Fixture {
  StoreBox box;
  testing::TempFolder folder;
  std::unique_ptr<Pki> pki = Make();
  AuditProver prover{*box, *pki, box.Time()};
  std::vector<std::shared_ptr<const ControlMessage>> orders;

  std::unique_ptr<Pki> Make() {
    Must(Pki::Create(folder / "pki", {box.Fleet().FleetId(), box.Fleet().Organisation(), {"127.0.0.1"}},
                     box.Time()));
    return Must(Pki::Load(folder / "pki", box.Time()));
  }
  explicit Fixture(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      v1::ControlResponse response;
      response.mutable_order()->set_order(std::string(1, static_cast<char>('a' + i)));
      orders.push_back(MakeControlMessage(response));
      Must(box->AppendAudit(testing::Note()));
    }
  }
  // Time passes before each: a proof that is made anew has another checkpoint.
  std::string Checkpoint(size_t order, uint64_t seen_size = 0) {
    box.Time().Advance(kNanosPerSecond);
    return Must(prover.ProofBeside(orders[order], seen_size)).checkpoint().SerializeAsString();
  }
};

// Two orders are on their way, or wait for hosts that come back: each host asks for both.
TEST(AuditProver, ProvesSomeOrdersInTurnWithoutLookingAnew) {
  Fixture f(8);
  std::vector<std::string> first;
  for (size_t order = 0; order < f.orders.size(); ++order) first.push_back(f.Checkpoint(order));
  for (int host = 0; host < 3; ++host) {
    for (size_t order = 0; order < f.orders.size(); ++order)
      EXPECT_EQ(f.Checkpoint(order), first[order]) << order;
  }
}

TEST(AuditProver, KeepsNoMoreThanSomeOrders) {
  Fixture f(9);
  const std::string first = f.Checkpoint(0);
  EXPECT_EQ(f.Checkpoint(0), first);  // the positive control
  const std::weak_ptr<const ControlMessage> message = f.orders[0];
  for (size_t order = 1; order < f.orders.size(); ++order) f.Checkpoint(order);
  f.orders[0].reset();
  EXPECT_TRUE(message.expired()) << "an order can have 4 MiB";
}

TEST(AuditProver, LooksAnewForAHostThatHasSeenMore) {
  Fixture f(2);
  const std::string first = f.Checkpoint(0);
  Must(f.box->AppendAudit(testing::Note()));
  const uint64_t size = Must(f.box->GetAuditHead()).size;
  const std::string later = f.Checkpoint(0, size);
  EXPECT_NE(later, first);
  EXPECT_EQ(f.Checkpoint(0), later);
}

}  // namespace
}  // namespace cordon::controller
