// A controller that makes whatever it can of the orders that it has (AUT-3): 100,000 of them with
// CORDON_SOAK, each without effect, each answered; then one of the same orders, untouched, which has its
// effect.

#include <array>
#include <iostream>
#include <map>
#include <random>

#include "tests/security/authority/hostile_controller/victim.h"
#include "tests/support/soak.h"

namespace cordon::testing {
namespace {

// Owns the store: every order that was ever made for the fleet, and everything that fits in a message.
class Forger {
 public:
  Forger(Victim& victim, const People& people) : victim_(victim), people_(people), make_(victim, people) {
    for (const v1::Level level : {v1::LEVEL_NO_LATERAL, v1::LEVEL_ESSENTIAL}) {
      delivered_.push_back(SignedBy(make_.Isolate(level), {&people_.alex}));
    }
    constexpr int kKept = 16;
    for (int i = 0; i < kKept; ++i) {
      kept_.push_back(SignedBy(make_.Release(), {&people_.alex}));
      kept_.push_back(SignedBy(make_.Isolate(v1::LEVEL_DARK), {&people_.alex, &people_.sam}));
      kept_.push_back(SignedBy(make_.ChangeTrust(people_.Next({&people_.alex, &people_.kim})),
                               {&people_.alex, &people_.sam, &people_.kim}));
    }
  }

  const std::vector<v1::SignedOrder>& Delivered() const { return delivered_; }
  v1::SignedOrder Untouched() {
    return SignedBy(make_.Isolate(v1::LEVEL_DARK), {&people_.alex, &people_.sam});
  }

  // The next attack and its name.
  std::pair<const char*, v1::SignedOrder> Next() {
    using Attack = v1::SignedOrder (Forger::*)();
    struct Named {
      const char* name;
      Attack attack;
    };
    static constexpr std::array kAttacks = {
        Named{"a bit of the order flipped", &Forger::FlipOrder},
        Named{"a bit of a signature flipped", &Forger::FlipSignature},
        Named{"a bit anywhere flipped", &Forger::FlipAnywhere},
        Named{"cut", &Forger::Cut},
        Named{"another order appended", &Forger::Append},
        Named{"retargeted", &Forger::Retarget},
        Named{"a higher level", &Forger::Escalate},
        Named{"a later expiry", &Forger::Prolong},
        Named{"the signatures of another order", &Forger::Mix},
        Named{"one of two signatures, often", &Forger::Multiply},
        Named{"signed by strangers", &Forger::Strange},
        Named{"signed by strangers in another's name", &Forger::Impersonate},
        Named{"an older order again", &Forger::Replay},
        Named{"good, for another host", &Forger::OtherHost},
        Named{"good, for another fleet", &Forger::OtherFleet},
        Named{"good, past or future", &Forger::OtherTime},
        Named{"an older trust bundle", &Forger::Downgrade},
        Named{"half a change of trust", &Forger::HalfTrust},
        Named{"noise", &Forger::Noise}};
    const Named& named = kAttacks.at(Random(kAttacks.size()));
    return {named.name, (this->*named.attack)()};
  }

 private:
  size_t Random(size_t below) { return std::uniform_int_distribution<size_t>(0, below - 1)(random_); }
  const v1::SignedOrder& Any() { return kept_.at(Random(kept_.size())); }
  void FlipIn(std::string* bytes) {
    char& byte = bytes->at(Random(bytes->size()));
    byte = static_cast<char>(byte ^ (1 << Random(8)));
  }
  // The content of a kept order, changed, under its old signatures.
  v1::SignedOrder Rewrite(const std::function<void(v1::Order&)>& change) {
    v1::SignedOrder forged = Any();
    v1::Order order;
    Must(order.ParseFromString(forged.order()) ? absl::OkStatus() : absl::InternalError("kept order"));
    const std::string before = order.SerializeAsString();
    change(order);
    if (order.SerializeAsString() == before) order.set_reason("changed all the same");
    forged.set_order(order.SerializeAsString());
    return forged;
  }

  v1::SignedOrder FlipOrder() {
    v1::SignedOrder forged = Any();
    FlipIn(forged.mutable_order());
    return forged;
  }
  v1::SignedOrder FlipSignature() {
    v1::SignedOrder forged = Any();
    const int which = static_cast<int>(Random(static_cast<size_t>(forged.signatures_size())));
    FlipIn(forged.mutable_signatures(which)->mutable_ed25519());
    return forged;
  }
  // In the message as it travels; a flip that leaves order and signatures as they were is not taken.
  v1::SignedOrder FlipAnywhere() {
    const v1::SignedOrder& good = Any();
    std::string bytes = good.SerializeAsString();
    FlipIn(&bytes);
    v1::SignedOrder forged;
    const bool parsed = forged.ParseFromString(bytes);
    forged.DiscardUnknownFields();
    return parsed && forged.SerializeAsString() != good.SerializeAsString() ? forged : FlipOrder();
  }
  v1::SignedOrder Cut() {
    v1::SignedOrder forged = Any();
    forged.mutable_order()->resize(Random(forged.order().size()));
    return forged;
  }
  v1::SignedOrder Append() {
    v1::SignedOrder forged = Any();
    forged.mutable_order()->append(Any().order());
    return forged;
  }
  v1::SignedOrder Retarget() {
    return Rewrite([this](v1::Order& order) {
      if (Random(2) == 0) order.mutable_target()->set_all(true);
      order.mutable_target()->add_sites(victim_.Self().site);
    });
  }
  v1::SignedOrder Escalate() {
    return Rewrite([](v1::Order& order) {
      order.mutable_isolate()->set_level(v1::LEVEL_CONTROLLER_ONLY);
      order.mutable_isolate()->set_fallback(v1::FALLBACK_HOLD);
    });
  }
  v1::SignedOrder Prolong() {
    return Rewrite([this](v1::Order& order) {
      order.set_expiry_unix_nanos(order.expiry_unix_nanos() + 1 +
                                  static_cast<int64_t>(Random(1'000'000'000)));
      order.set_sequence(order.sequence() + Random(1'000'000));
    });
  }
  v1::SignedOrder Mix() {
    v1::SignedOrder forged = Any();
    const v1::SignedOrder* other = &Any();
    while (other->order() == forged.order()) other = &Any();
    *forged.mutable_signatures() = other->signatures();
    return forged;
  }
  v1::SignedOrder Multiply() {
    v1::SignedOrder forged = SignedBy(make_.Isolate(v1::LEVEL_DARK), {&people_.alex});
    const size_t copies = Random(kMaxSignatures);
    for (size_t i = 0; i < copies; ++i) *forged.add_signatures() = forged.signatures(0);
    return forged;
  }
  v1::SignedOrder Strange() { return SignedBy(make_.Release(), {&people_.mallory, &people_.kim}); }
  v1::SignedOrder Impersonate() {
    v1::SignedOrder forged = Strange();
    forged.mutable_signatures(0)->set_operator_id(people_.alex.id);
    forged.mutable_signatures(1)->set_operator_id(people_.sam.id);
    return forged;
  }
  // The newest one again is no attack: it is answered with what became of it.
  v1::SignedOrder Replay() { return delivered_.front(); }
  v1::SignedOrder OtherHost() {
    v1::Order order = make_.Release();
    order.mutable_target()->mutable_hosts(0)->set_host_id(NewUuid());
    return SignedBy(order, {&people_.alex});
  }
  v1::SignedOrder OtherFleet() {
    v1::Order order = make_.Release();
    order.set_fleet_id(NewUuid());
    return SignedBy(order, {&people_.alex, &people_.sam});
  }
  v1::SignedOrder OtherTime() {
    v1::Order order = make_.Release();
    const int64_t day = 24 * TestFleet::kHour;
    const int64_t shift = Random(2) == 0 ? -day : day;
    order.set_not_before_unix_nanos(order.not_before_unix_nanos() + shift);
    order.set_expiry_unix_nanos(order.expiry_unix_nanos() + shift);
    if (shift < 0) order.set_sequence(static_cast<uint64_t>(order.not_before_unix_nanos() / 1'000));
    return SignedBy(order, {&people_.alex, &people_.sam});
  }
  v1::SignedOrder Downgrade() {
    v1::TrustBundle bundle = people_.Next({&people_.alex, &people_.sam});
    bundle.set_version(Random(2));
    return SignedBy(make_.ChangeTrust(bundle), {&people_.alex, &people_.sam});
  }
  v1::SignedOrder HalfTrust() {
    const v1::Order order = make_.ChangeTrust(people_.Next({&people_.kim, &people_.mallory}));
    return Random(2) == 0 ? SignedBy(order, {&people_.alex, &people_.sam})
                          : SignedBy(order, {&people_.kim, &people_.mallory, &people_.alex});
  }
  v1::SignedOrder Noise() {
    v1::SignedOrder forged;
    for (size_t i = Random(400); i > 0; --i)
      forged.mutable_order()->push_back(static_cast<char>(Random(256)));
    AddSignature(people_.mallory, &forged);
    return forged;
  }

  Victim& victim_;
  const People& people_;
  OrderMaker make_;
  std::mt19937 random_{2024};  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same storm every time
  std::vector<v1::SignedOrder> delivered_;
  std::vector<v1::SignedOrder> kept_;
};

TEST(OrderStorm, AUT3_NoForgedOrderHasAnEffect) {
  const People people;
  Victim victim(people.bundle);
  Forger forger(victim, people);
  for (const v1::SignedOrder& order : forger.Delivered()) victim.Hear(order);
  const HostStanding before = victim.Standing();
  ASSERT_EQ(before.level, v1::LEVEL_ESSENTIAL);
  ASSERT_EQ(victim.Answers(), 2U);

  const int rounds = StormCount(3'000, 100'000);
  std::map<std::string, int> made;
  for (int i = 0; i < rounds; ++i) {
    const auto [name, order] = forger.Next();
    victim.Hear(order);
    ++made[name];
    ASSERT_EQ(victim.Refused(), static_cast<uint64_t>(i) + 1) << name << ": " << victim.Answer().message();
    ASSERT_FALSE(victim.Answer().message().empty()) << name;
    if (i % 100 != 0) continue;
    ASSERT_EQ(victim.Standing(), before) << name;
  }
  EXPECT_EQ(victim.Standing(), before);
  for (const auto& [name, count] : made) std::cout << "  " << name << ": " << count << " refused\n";
  std::cout << "  " << rounds << " in all, none with an effect\n";
  victim.ExpectObeyed(forger.Untouched(), v1::LEVEL_DARK);
}

}  // namespace
}  // namespace cordon::testing
