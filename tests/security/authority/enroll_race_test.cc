// AUT-1: an enrolment file of N uses makes N hosts, however many ask at the same moment.

#include <gtest/gtest.h>

#include <latch>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/server_box.h"

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
      const KeyPtr key = Must(NewTlsKey());
      const v1::EnrollRequest request = ServerBox::EnrollRequestFor(file, *key);
      start.arrive_and_wait();
      for (int turn = 0; turn < kTries; ++turn) {
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

}  // namespace
}  // namespace cordon::testing
