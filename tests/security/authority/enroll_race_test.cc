// AUT-1: an enrolment file of N uses makes N hosts, however many ask at the same moment.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/server_box.h"
#include "tests/support/status_matchers.h"

namespace cordon::testing {
namespace {

TEST(EnrollRace, AUT1_NUsesMakeNHostsWhenManyEnrolAtOnce) {
  constexpr uint32_t kUses = 10;
  constexpr int kAskers = 12;
  constexpr int kTries = 4;
  ServerBox box;
  const v1::EnrollmentFile file = box.MakeEnrollment(kUses);
  std::latch start(kAskers);
  std::mutex mutex;
  std::set<std::string> host_ids;
  std::vector<absl::Status> refusals;
  std::vector<std::thread> askers;
  askers.reserve(kAskers);
  for (int asker = 0; asker < kAskers; ++asker) {
    askers.emplace_back([&] {
      const auto stub = box.Gateway(box.BootstrapTls(file));  // a connection of its own
      start.arrive_and_wait();
      for (int turn = 0; turn < kTries; ++turn) {
        const KeyPtr key = Must(NewTlsKey());
        const v1::EnrollRequest request = ServerBox::EnrollRequestFor(file, *key);
        v1::EnrollResponse response;
        const absl::Status status = Call([&](auto* c) { return stub->Enroll(c, request, &response); });
        const std::lock_guard lock(mutex);
        if (status.ok()) {
          EXPECT_TRUE(host_ids.insert(response.host_id()).second) << "two hosts with one id";
        } else {
          refusals.push_back(status);
        }
      }
    });
  }
  for (std::thread& asker : askers) asker.join();

  EXPECT_EQ(host_ids.size(), kUses);
  EXPECT_EQ(refusals.size(), kAskers * kTries - kUses);
  for (const absl::Status& refusal : refusals) {
    EXPECT_EQ(refusal.code(), absl::StatusCode::kPermissionDenied) << refusal;
    EXPECT_NE(refusal.message().find("used up"), absl::string_view::npos) << refusal;
  }
  // What the store and the audit log say is the same.
  EXPECT_EQ(Must(box.Store().ListEnrollments()).at(0).used(), kUses);
  EXPECT_EQ(Must(box.Store().ListHosts(nullptr, 1'000, "")).hosts.size(), kUses);
  std::set<std::string> uses;
  for (const v1::AuditEntry& entry : box.Audit()) {
    if (entry.action() == "host.enroll") uses.insert(entry.detail().substr(entry.detail().find("use ")));
  }
  EXPECT_EQ(uses.size(), kUses);  // "use 1 of 10" to "use 10 of 10", each once
}

struct Asker {
  ServerBox& box;
  v1::EnrollmentFile file;
  KeyPtr key = Must(NewTlsKey());

  absl::StatusOr<std::string> Ask(const std::string& token = "") const {
    v1::EnrollRequest request = ServerBox::EnrollRequestFor(file, *key);
    if (!token.empty()) request.set_token(token);
    const auto stub = box.Gateway(box.BootstrapTls(file));
    v1::EnrollResponse response;
    const absl::Status status = Call([&](auto* c) { return stub->Enroll(c, request, &response); });
    if (!status.ok()) return status;
    answer = response;
    return response.host_id();
  }
  mutable v1::EnrollResponse answer = {};
};

constexpr auto kDenied = absl::StatusCode::kPermissionDenied;

// The answer was lost on its way: who asks again with the same key is the same host.
TEST(EnrollAgain, AUT1_TheSameKeyIsTheSameHostAndTakesOneUse) {
  ServerBox box;
  const Asker asker{box, box.MakeEnrollment(1)};
  const std::string first = Must(asker.Ask());
  const std::string serial = Must(ReadCertificate(asker.answer.certificate_pem())).serial_hex;
  EXPECT_EQ(Must(asker.Ask()), first);
  EXPECT_NE(Must(ReadCertificate(asker.answer.certificate_pem())).serial_hex, serial);
  EXPECT_EQ(Must(ReadCertificate(asker.answer.certificate_pem())).identity.id, first);
  EXPECT_EQ(Must(box.Store().ListEnrollments()).at(0).used(), 1U);
  EXPECT_EQ(Must(box.Store().ListHosts(nullptr, 10, "")).hosts.size(), 1U);
  EXPECT_EQ(box.Audit().back().action(), "host.enroll_again");
  // The certificate is good.
  const TlsIdentity tls{asker.file.ca_pem(), asker.answer.certificate_pem(),
                        Must(PrivateKeyToPem(*asker.key))};
  const auto gateway = box.Gateway(tls);
  ControlClient control([&](auto* context) { return gateway->Control(context); });
  control.Send(HelloOf("reception-1"));
  const auto welcome = control.Read();
  EXPECT_TRUE(welcome.has_value() && welcome->has_welcome());
}

TEST(EnrollAgain, AUT1_AnotherKeyIsAnotherHostAndTakesAUse) {
  ServerBox box;
  const v1::EnrollmentFile file = box.MakeEnrollment(2);
  const Asker one{box, file};
  const Asker two{box, file};
  const Asker three{box, file};
  const std::string first = Must(one.Ask());
  EXPECT_NE(Must(two.Ask()), first);
  EXPECT_THAT(three.Ask(), Fails(kDenied, "used up"));
  EXPECT_EQ(Must(one.Ask()), first) << "which is used up for others alone";
  const Asker elsewhere{box, box.MakeEnrollment(1), Must(PrivateKeyFromPem(Must(PrivateKeyToPem(*one.key))))};
  EXPECT_NE(Must(elsewhere.Ask()), first) << "with another enrolment it is another host";
}

TEST(EnrollAgain, AUT1_TheKeyAloneIsNotEnough) {
  ServerBox box;
  const Asker asker{box, box.MakeEnrollment(3)};
  const std::string first = Must(asker.Ask());
  EXPECT_THAT(asker.Ask(std::string(32, 'x')), Fails(kDenied, "wrong token"));
  // The public key of the host, without the private one.
  v1::EnrollRequest request = ServerBox::EnrollRequestFor(asker.file, *asker.key);
  request.mutable_csr_der()->back() ^= 1;
  const auto stub = box.Gateway(box.BootstrapTls(asker.file));
  v1::EnrollResponse response;
  EXPECT_THAT(Call([&](auto* c) { return stub->Enroll(c, request, &response); }),
              Fails(absl::StatusCode::kInvalidArgument, "not signed by its own key"));
  box.Time().Advance(TestFleet::kHour);
  EXPECT_FALSE(asker.Ask().ok()) << "the enrolment is over";
}

TEST(EnrollAgain, AUT1_NotForAHostThatIsRevokedOrHasHadItsAnswer) {
  ServerBox box;
  const Asker revoked{box, box.MakeEnrollment(2)};
  Must(box.Store().RevokeHost(Must(revoked.Ask()), {"operator/x", "host.revoke", "x", "a drill"}));
  EXPECT_THAT(revoked.Ask(), Fails(kDenied, "is revoked"));
  const Asker connected{box, box.MakeEnrollment(2)};
  const std::vector<controller::HostNews> news = {{Must(connected.Ask()), {}, "its certificate"}};
  Must(box.Store().UpdateFacts(news));
  EXPECT_THAT(connected.Ask(), Fails(kDenied, "has its certificate"));
}

TEST(EnrollAgain, AUT6_AskingWithoutEndIsRefused) {
  ServerBox box;
  const Asker asker{box, box.MakeEnrollment(1)};
  const std::string first = Must(asker.Ask());
  absl::Status last;
  int again = 0;
  for (; again < 100 && last.ok(); ++again) last = asker.Ask().status();
  EXPECT_EQ(again, 17);
  EXPECT_THAT(last, Fails(kDenied, "too often"));
}

}  // namespace
}  // namespace cordon::testing
