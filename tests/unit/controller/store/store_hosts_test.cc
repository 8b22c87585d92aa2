#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/crypto/digest.h"
#include "platform/api/files.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_box.h"

namespace cordon::controller {
namespace {

using ::testing::ElementsAre;
using testing::Fails;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::MakeLabel;
using testing::Must;
using testing::Note;
using testing::Outcome;
using ::testing::SizeIs;
using testing::StoreBox;
using ::testing::UnorderedElementsAre;

constexpr const char* kNobody = "99999999-2222-4333-8444-555555555555";
constexpr auto kDenied = absl::StatusCode::kPermissionDenied;

TEST(StoreEnrolments, AUseMakesAHostWithTheEnrolmentsSiteAndLabels) {
  StoreBox box;
  NewEnrollment enrollment = box.Enrolment(2);
  enrollment.labels = {MakeLabel("role", "reception")};
  ASSERT_THAT(box->CreateEnrollment(enrollment, Note("enrollment.create")), IsOk());
  const NewHost asked = StoreBox::HostNamed("reception-1");
  ASSERT_THAT(box->EnrollHost(enrollment.enrollment_id, enrollment.token, asked), IsOk());
  const HostRecord host = Must(box->GetHost(asked.host_id));
  EXPECT_EQ(host.site, "leeds");
  ASSERT_THAT(host.labels, SizeIs(1));
  EXPECT_EQ(host.labels[0].value(), "reception");
  EXPECT_EQ(host.facts.host_name(), "reception-1");
  EXPECT_EQ(host.enrollment_id, enrollment.enrollment_id);
  EXPECT_EQ(host.enrolled_unix_nanos, box.Time().WallNanos());
  EXPECT_EQ(host.certificate.serial_hex, asked.certificate.serial_hex);
  EXPECT_FALSE(host.revoked);
  const v1::Enrollment listed = Must(box->ListEnrollments()).at(0);
  EXPECT_EQ(listed.used(), 1U);
  EXPECT_EQ(listed.uses(), 2U);
  EXPECT_EQ(listed.created_by(), "operator/alex");
  EXPECT_EQ(box.Audit().back().action(), "host.enroll");
  EXPECT_EQ(box.Audit().back().actor(), "bootstrap/" + enrollment.enrollment_id);
}

struct Enrolled {
  StoreBox box;
  NewEnrollment enrollment = box.Enrolment(1);
  Enrolled() { Must(box->CreateEnrollment(enrollment, Note())); }

  absl::Status Use(const std::string& token) {
    return box->EnrollHost(enrollment.enrollment_id, token, StoreBox::HostNamed("h")).status();
  }
  uint32_t Used() { return Must(box->ListEnrollments()).at(0).used(); }
};

TEST(StoreEnrolments, AWrongTokenIsToldBeforeAnythingOfTheState) {
  Enrolled e;
  ASSERT_THAT(e.box->RevokeEnrollment(e.enrollment.enrollment_id, Note()), IsOk());
  for (const std::string& wrong : {std::string(32, 'x'), std::string(31, 't'), std::string()}) {
    EXPECT_THAT(e.Use(wrong), Fails(kDenied, "wrong token"));
  }
  EXPECT_THAT(e.Use(e.enrollment.token), Fails(kDenied, "revoked"));
  EXPECT_EQ(e.Used(), 0U);
}

TEST(StoreEnrolments, UnknownExpiredAndUsedUpAreEachToldApart) {
  Enrolled e;
  EXPECT_THAT(e.box->EnrollHost(kNobody, e.enrollment.token, StoreBox::HostNamed("h")),
              Fails(kDenied, "unknown"));
  EXPECT_THAT(e.Use(e.enrollment.token), IsOk());  // the positive control
  EXPECT_THAT(e.Use(e.enrollment.token), Fails(kDenied, "used up"));
  EXPECT_EQ(e.Used(), 1U);
  e.box.Time().Advance(testing::TestFleet::kHour);
  EXPECT_THAT(e.Use(e.enrollment.token), Fails(kDenied, "expired at"));
}

TEST(StoreEnrolments, AUseIsGoodUntilTheLastMoment) {
  Enrolled e;
  e.box.Time().Advance(testing::TestFleet::kHour - 1);
  EXPECT_THAT(e.Use(e.enrollment.token), IsOk());
}

TEST(StoreEnrolments, ARefusedUseLeavesNothing) {
  Enrolled e;
  NewHost host = StoreBox::HostNamed("first");
  ASSERT_THAT(e.box->EnrollHost(e.enrollment.enrollment_id, e.enrollment.token, host), IsOk());
  const size_t audit = e.box.Audit().size();
  NewEnrollment other = e.box.Enrolment(1);
  ASSERT_THAT(e.box->CreateEnrollment(other, Note()), IsOk());
  // The same host id again cannot be stored: the use that was counted for it is given back.
  EXPECT_FALSE(e.box->EnrollHost(other.enrollment_id, other.token, host).ok());
  EXPECT_EQ(e.box.Audit().size(), audit + 1);
  EXPECT_THAT(e.box->EnrollHost(other.enrollment_id, other.token, StoreBox::HostNamed("second")), IsOk());
}

TEST(StoreEnrolments, AreMadeOnlyWhole) {
  StoreBox box;
  NewEnrollment enrollment = box.Enrolment(0);
  EXPECT_THAT(box->CreateEnrollment(enrollment, Note()),
              Fails(absl::StatusCode::kInvalidArgument, "at least one use"));
  enrollment.uses = 1;
  enrollment.token = "short";
  EXPECT_THAT(box->CreateEnrollment(enrollment, Note()),
              Fails(absl::StatusCode::kInvalidArgument, "32 bytes"));
  EXPECT_THAT(Must(box->ListEnrollments()), IsEmpty());
  enrollment.token = std::string(32, 't');
  EXPECT_THAT(box->CreateEnrollment(enrollment, Note()), IsOk());
  EXPECT_EQ(box->CreateEnrollment(enrollment, Note()).code(), absl::StatusCode::kAlreadyExists);
}

TEST(StoreEnrolments, AreListedNewestFirst) {
  StoreBox box;
  const NewEnrollment first = box.Enrolment();
  ASSERT_THAT(box->CreateEnrollment(first, Note()), IsOk());
  box.Time().Advance(1);
  const NewEnrollment second = box.Enrolment();
  ASSERT_THAT(box->CreateEnrollment(second, Note()), IsOk());
  const std::vector<v1::Enrollment> listed = Must(box->ListEnrollments());
  ASSERT_THAT(listed, SizeIs(2));
  EXPECT_EQ(listed[0].enrollment_id(), second.enrollment_id);
}

TEST(StoreEnrolments, RevokingTwiceIsOnceAndAnUnknownOneIsTold) {
  Enrolled e;
  EXPECT_THAT(e.box->RevokeEnrollment(e.enrollment.enrollment_id, Note()), IsOk());
  EXPECT_THAT(e.box->RevokeEnrollment(e.enrollment.enrollment_id, Note()), IsOk());
  EXPECT_TRUE(Must(e.box->ListEnrollments()).at(0).revoked());
  EXPECT_THAT(e.box->RevokeEnrollment(kNobody, Note()), Fails(absl::StatusCode::kNotFound, kNobody));
}

// The token itself is in no byte of the store: who steals a backup enrols nobody.
TEST(StoreEnrolments, TheTokenIsNotInTheStore) {
  StoreBox box;
  NewEnrollment enrollment = box.Enrolment();
  enrollment.token = Sha256("a token that nothing else looks like");
  ASSERT_THAT(box->CreateEnrollment(enrollment, Note()), IsOk());
  box.Crash();
  std::string bytes;
  for (const std::string suffix : {"", "-wal"}) {
    const absl::StatusOr<std::string> part =
        platform::ReadFileBounded(box.File().string() + suffix, 16 * 1024 * 1024);
    if (part.ok()) bytes += *part;
  }
  EXPECT_EQ(bytes.find(enrollment.token), std::string::npos);
  EXPECT_NE(bytes.find(Sha256(enrollment.token)), std::string::npos);  // the positive control
}

std::vector<std::string> Names(const HostPage& page) {
  std::vector<std::string> names;
  names.reserve(page.hosts.size());
  for (const HostRecord& host : page.hosts) names.push_back(host.facts.host_name());
  return names;
}

TEST(StoreHosts, AreListedByTargetAndPage) {
  StoreBox box;
  const std::string id = box.AddHost("a", "leeds", {MakeLabel("role", "server")});
  box.AddHost("b", "leeds");
  box.AddHost("c", "york");
  EXPECT_THAT(Names(Must(box->ListHosts(nullptr, 10, ""))), UnorderedElementsAre("a", "b", "c"));
  v1::Target leeds;
  leeds.add_sites("leeds");
  EXPECT_THAT(Names(Must(box->ListHosts(&leeds, 10, ""))), UnorderedElementsAre("a", "b"));
  v1::Target servers;
  *servers.add_labels() = MakeLabel("role", "server");
  EXPECT_THAT(Names(Must(box->ListHosts(&servers, 10, ""))), ElementsAre("a"));
  v1::Target one;
  one.add_hosts()->set_host_id(id);
  EXPECT_THAT(Names(Must(box->ListHosts(&one, 10, ""))), ElementsAre("a"));
  const v1::Target nobody;
  EXPECT_THAT(Names(Must(box->ListHosts(&nobody, 10, ""))), IsEmpty());
}

TEST(StoreHosts, PagesGiveEveryHostOnce) {
  StoreBox box;
  for (const char* name : {"a", "b", "c", "d", "e"}) box.AddHost(name);
  std::vector<std::string> all;
  std::string token;
  int pages = 0;
  do {
    const HostPage page = Must(box->ListHosts(nullptr, 2, token));
    for (const std::string& name : Names(page)) all.push_back(name);
    token = page.next_page_token;
    ++pages;
  } while (!token.empty());
  EXPECT_EQ(pages, 3);
  EXPECT_THAT(all, UnorderedElementsAre("a", "b", "c", "d", "e"));
}

TEST(StoreHosts, APageThatIsNoneIsRefused) {
  StoreBox box;
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(box->ListHosts(nullptr, 0, ""), Fails(kInvalid, "page_size is 0"));
  EXPECT_THAT(box->ListHosts(nullptr, 1'001, ""), Fails(kInvalid, "page_size is 1001"));
  EXPECT_THAT(box->ListHosts(nullptr, 1'000, "x' OR 1"), Fails(kInvalid, "page_token"));
}

TEST(StoreHosts, LastSeenNeverGoesBackAndStrangersArePassedOver) {
  StoreBox box;
  const std::string id = box.AddHost("a");
  const int64_t now = box.Time().WallNanos();
  const std::vector<HostSeen> seen = {{kNobody, now + 9}, {id, now + 5}, {id, now + 3}};
  EXPECT_THAT(box->TouchHosts(seen), IsOk());
  EXPECT_EQ(Must(box->GetHost(id)).last_seen_unix_nanos, now + 5);
  EXPECT_THAT(box->TouchHosts({}), IsOk());
}

TEST(StoreHosts, FactsFollowTheHostsHello) {
  StoreBox box;
  const std::string id = box.AddHost("a");
  v1::HostFacts facts;
  facts.set_host_name("b");
  const std::vector<HostNews> news = {{kNobody, facts, ""}, {id, facts, "its certificate"}};
  ASSERT_THAT(box->UpdateFacts(news), IsOk()) << "who is not known is passed over";
  v1::Target by_name;
  by_name.add_hosts()->set_name("b");
  EXPECT_THAT(Names(Must(box->ListHosts(&by_name, 10, ""))), ElementsAre("b"));
  EXPECT_EQ(Must(box->GetHost(id)).certificate_pem, "its certificate");
}

v1::Receipt ReceiptAt(int64_t time, v1::Level level) {
  v1::Receipt receipt;
  receipt.set_read_back_time_unix_nanos(time);
  receipt.set_enforced_level(level);
  return receipt;
}

// What a host says now counts, also when its clock was ahead before (ISO-7).
TEST(StoreHosts, ISO7_AReceiptFromAClockThatWasAheadHidesNoLaterOne) {
  StoreBox box;
  const std::string id = box.AddHost("a");
  const int64_t now = box.Time().WallNanos();
  const std::vector<HostReceipt> ahead = {
      {id, ReceiptAt(now + 24 * testing::TestFleet::kHour, v1::LEVEL_DARK)},
      {kNobody, ReceiptAt(now, v1::LEVEL_OBSERVE)}};
  ASSERT_THAT(box->RecordReceipts(ahead), IsOk());
  EXPECT_EQ(Must(box->GetHost(id)).receipt.enforced_level(), v1::LEVEL_DARK);  // it is what the host says
  const std::vector<HostReceipt> right = {{id, ReceiptAt(now, v1::LEVEL_OBSERVE)}};
  ASSERT_THAT(box->RecordReceipts(right), IsOk());
  EXPECT_EQ(Must(box->GetHost(id)).receipt.enforced_level(), v1::LEVEL_OBSERVE);
  const std::vector<HostReceipt> of_no_moment = {{id, ReceiptAt(0, v1::LEVEL_DARK)}};
  ASSERT_THAT(box->RecordReceipts(of_no_moment), IsOk());
  EXPECT_EQ(Must(box->GetHost(id)).receipt.enforced_level(), v1::LEVEL_OBSERVE);
  EXPECT_THAT(box->RecordReceipts({}), IsOk());
}

TEST(StoreHosts, ARenewalIsKeptAndNoted) {
  StoreBox box;
  const std::string id = box.AddHost("a");
  ASSERT_THAT(box->RenewCertificate(id, {"abcd", 10, 20}, Note("certificate.renew", id)), IsOk());
  EXPECT_EQ(Must(box->GetHost(id)).certificate.serial_hex, "abcd");
  EXPECT_EQ(Must(box->GetHost(id)).certificate.not_after_unix_nanos, 20);
  EXPECT_EQ(box.Audit().back().action(), "certificate.renew");
  const size_t audit = box.Audit().size();
  // A serial that was given out once is not given out again.
  EXPECT_EQ(box->RenewCertificate(id, {"abcd", 10, 30}, Note()).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(box->RenewCertificate(kNobody, {"ef", 1, 2}, Note()),
              Fails(absl::StatusCode::kNotFound, kNobody));
  EXPECT_EQ(Must(box->GetHost(id)).certificate.not_after_unix_nanos, 20);
  EXPECT_EQ(box.Audit().size(), audit);
}

TEST(StoreHosts, ARevokedHostGetsNothingAnyMore) {
  StoreBox box;
  const std::string id = box.AddHost("a");
  const v1::Order open = box.Isolate({id}, 5);
  const v1::Order done = box.Scan({id}, 6);
  ASSERT_THAT(box.Submit(open), IsOk());
  ASSERT_THAT(box.Submit(done), IsOk());
  const std::vector outcomes = {Outcome(done.order_id(), id, v1::OrderOutcome::STATE_DONE)};
  ASSERT_THAT(box->RecordOutcomes(outcomes), IsOk());
  ASSERT_THAT(box->RevokeHost(id, Note("host.revoke", id)), IsOk());
  EXPECT_TRUE(Must(box->GetHost(id)).revoked);
  EXPECT_EQ(box.OutcomeOn(open.order_id(), id).state(), v1::OrderOutcome::STATE_CANCELLED);
  EXPECT_THAT(box.OutcomeOn(open.order_id(), id).message(), HasSubstr("revoked"));
  EXPECT_EQ(box.OutcomeOn(done.order_id(), id).state(), v1::OrderOutcome::STATE_DONE);
  EXPECT_THAT(Must(box->OrdersFor(id, {})), IsEmpty());
  EXPECT_THAT(box->RenewCertificate(id, {"ef", 1, 2}, Note()),
              Fails(absl::StatusCode::kFailedPrecondition, "revoked"));
  EXPECT_THAT(Must(box.Submit(box.Isolate({id}, 7))).host_ids, IsEmpty());
  EXPECT_THAT(box->RevokeHost(id, Note()), IsOk());
  EXPECT_THAT(box->RevokeHost(kNobody, Note()), Fails(absl::StatusCode::kNotFound, kNobody));
}

TEST(StoreHosts, AHostThatIsNotThereIsTold) {
  StoreBox box;
  EXPECT_THAT(box->GetHost(kNobody), Fails(absl::StatusCode::kNotFound, kNobody));
}

// What the controller found about hosts stands in the audit log alone.
TEST(StoreHosts, AListHasOfEachHostTheNewestNoticeOfEachKind) {
  StoreBox box;
  const std::string noisy = box.AddHost("noisy");
  const std::string calm = box.AddHost("calm");
  const auto note = [&](const std::string& action, const std::string& detail) {
    ASSERT_THAT(box->AppendAudit({"controller", action, noisy, detail}), IsOk());
    box.Time().Advance(kNanosPerSecond);
  };
  note("session.second", "one");
  note("host.held_back", "two");
  note("session.second", "three");
  note("order.submit", "no notice");
  ASSERT_THAT(box->AppendAudit({"controller", "host.held_back", "nobody", ""}), IsOk());
  box.Crash();
  box.Start();
  for (const uint32_t page_size : {1'000U, 1U}) {
    std::map<std::string, std::vector<v1::HostNotice>> notices;
    std::string token;
    do {
      const HostPage page = Must(box->ListHosts(nullptr, page_size, token));
      for (const HostRecord& host : page.hosts) notices[host.host_id] = host.notices;
      token = page.next_page_token;
    } while (!token.empty());
    EXPECT_TRUE(notices.at(calm).empty());
    const std::vector<v1::HostNotice>& told = notices.at(noisy);
    ASSERT_EQ(told.size(), 2U);
    EXPECT_EQ(told[0].kind(), "session.second");
    EXPECT_EQ(told[0].text(), "three");
    EXPECT_EQ(told[1].kind(), "host.held_back");
    EXPECT_EQ(told[0].time_unix_nanos() - told[1].time_unix_nanos(), kNanosPerSecond);
    EXPECT_EQ(box.Audit().at(told[0].audit_index() - 1).detail(), "three");
  }
}

}  // namespace
}  // namespace cordon::controller
