#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "agent/link/address_book.h"
#include "agent/link/backoff.h"
#include "agent/link/outbox.h"
#include "agent/link/renewal.h"
#include "common/base/clock.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_fleet.h"

namespace cordon::agent {
namespace {

using namespace std::chrono_literals;  // NOLINT: durations below
using boost::asio::ip::make_address;
using testing::Must;
using testing::TempFolder;
using testing::TestFleet;

constexpr uint64_t kLowest = 0;
constexpr uint64_t kMiddle = uint64_t{1} << 63;
constexpr uint64_t kHighest = ~uint64_t{0};

TEST(Backoff, IsFullJitterUpToACeilingThatDoublesToTheCap) {
  const BackoffSettings settings{.first = 1s, .cap = 60s};
  for (const uint32_t failures : {0U, 3U, 1'000'000'000U})
    EXPECT_EQ(BackoffDelay(settings, failures, kLowest), 0s);
  EXPECT_EQ(BackoffDelay(settings, 0, kMiddle), 500ms);
  EXPECT_EQ(BackoffDelay(settings, 3, kMiddle), 4s);
  EXPECT_EQ(BackoffDelay(settings, 6, kMiddle), 30s);
  EXPECT_EQ(BackoffDelay(settings, 1'000'000'000, kMiddle), 30s);
  EXPECT_LT(BackoffDelay(settings, 10, kHighest), 60s);
  EXPECT_GT(BackoffDelay(settings, 10, kHighest), 59s);
}

TEST(Outbox, TheNewestReceiptWins) {
  Outbox outbox;
  for (int i = 1; i <= 3; ++i) {
    v1::Receipt receipt;
    receipt.set_order_sequence(i);
    outbox.Put(receipt);
  }
  EXPECT_EQ(outbox.Take()->receipt().order_sequence(), 3U);
  EXPECT_FALSE(outbox.Take());
}

TEST(Outbox, KeepsTheNewestOutcomesInOrder) {
  Outbox outbox;
  for (size_t i = 0; i < Outbox::kMaxOutcomes + 5; ++i) {
    v1::OrderOutcome outcome;
    outcome.set_order_id(std::to_string(i));
    outbox.Put(outcome);
  }
  EXPECT_EQ(outbox.Take()->outcome().order_id(), "5");
  EXPECT_EQ(outbox.Take()->outcome().order_id(), "6");
}

TEST(Outbox, ForgetsAnswersThatNobodyWaitsFor) {
  Outbox outbox;
  outbox.Put(v1::HealthAnswer());
  outbox.ForgetAnswers();
  EXPECT_FALSE(outbox.Take());
}

TEST(AddressBook, ListsAddressesAsTheyAreAndNamesAsTheyAreKnown) {
  const TempFolder folder;
  AddressBook book(folder / "addresses", {{"10.0.0.1", 8443}, {"pms.test", 443}, {"2001:db8::7", 1}});
  EXPECT_EQ(book.Names(), std::vector<std::string>{"pms.test"});
  EXPECT_EQ(book.Candidates().size(), 2U);
  EXPECT_TRUE(book.Learn("pms.test", {make_address("10.0.0.9"), make_address("10.0.0.8")}));
  EXPECT_FALSE(book.Learn("pms.test", {make_address("10.0.0.8"), make_address("10.0.0.9")}))
      << "only turned round";
  EXPECT_FALSE(book.Learn("pms.test", {})) << "an empty answer takes nothing away";

  std::vector<std::string> texts;
  for (const Candidate& candidate : book.Candidates()) texts.push_back(candidate.Text());
  EXPECT_THAT(texts, ::testing::ElementsAre("10.0.0.1:8443", "pms.test:443 (10.0.0.8)",
                                            "pms.test:443 (10.0.0.9)", "[2001:db8::7]:1"));
  book.Prefer(book.Candidates()[2]);
  EXPECT_EQ(book.Candidates()[0].Text(), "pms.test:443 (10.0.0.9)");
}

TEST(AddressBook, ISO4_KeepsWhereAControllerAnsweredWhateverALookupSays) {
  const TempFolder folder;
  {
    AddressBook book(folder / "addresses", {{"pms.test", 443}});
    book.Learn("pms.test", {make_address("10.0.0.9")});
    EXPECT_TRUE(book.Prefer(book.Candidates()[0]));
    EXPECT_FALSE(book.Prefer(book.Candidates()[0])) << "no news";
    EXPECT_TRUE(book.Learn("pms.test", {make_address("6.6.6.6")}));
    EXPECT_EQ(book.Endpoints().size(), 2U);
    EXPECT_EQ(book.Candidates()[0].Text(), "pms.test:443 (10.0.0.9)");
    Must(book.Save());
  }
  AddressBook book(folder / "addresses", {{"pms.test", 443}});  // and after a restart
  EXPECT_EQ(book.Reached().at("pms.test").to_string(), "10.0.0.9");
  EXPECT_FALSE(book.Learn("pms.test", {make_address("6.6.6.6")})) << "both are known";
  std::vector<boost::asio::ip::address> many;
  for (int i = 100; i < 200; ++i) many.push_back(make_address(StrCat("10.0.0.", i)));
  EXPECT_TRUE(book.Learn("pms.test", many));
  EXPECT_EQ(book.Endpoints().size(), AddressBook::kMaxAddressesPerName);
  EXPECT_EQ(FormatEndpoint(book.Endpoints()[0]), "10.0.0.9:443");
  // Another one that answers takes its place.
  EXPECT_TRUE(book.Prefer(book.Candidates()[3]));
  EXPECT_TRUE(book.Learn("pms.test", {make_address("10.0.0.1")}));
  for (const Endpoint& endpoint : book.Endpoints()) EXPECT_NE(FormatEndpoint(endpoint), "10.0.0.9:443");
}

TEST(AddressBook, SurvivesOnDiskAndTakesNothingElseFromThere) {
  const TempFolder folder;
  {
    AddressBook book(folder / "addresses", {{"pms.test", 443}});
    book.Learn("pms.test", {make_address("10.0.0.9")});
    Must(book.Save());
  }
  std::ofstream(folder / "addresses", std::ios::app) << "evil.test 6.6.6.6\npms.test nonsense\n\x01\xff";
  const AddressBook book(folder / "addresses", {{"pms.test", 443}});
  ASSERT_EQ(book.Candidates().size(), 1U);
  EXPECT_EQ(FormatEndpoint(book.Endpoints()[0]), "10.0.0.9:443");
}

TEST(AddressBook, IsBoundedPerName) {
  const TempFolder folder;
  AddressBook book(folder / "addresses", {{"pms.test", 443}});
  std::vector<boost::asio::ip::address> many;
  for (int i = 1; i < 100; ++i) many.push_back(make_address("10.0.0." + std::to_string(i)));
  book.Learn("pms.test", many);
  EXPECT_EQ(book.Endpoints().size(), AddressBook::kMaxAddressesPerName);
}

TEST(Renewal, IsDueAtHalfLifeAndRetriesSpreadOverTheRest) {
  HostCredentials credentials;
  credentials.not_before_unix_nanos = 1'000 * kNanosPerSecond;
  credentials.not_after_unix_nanos = 7'400 * kNanosPerSecond;
  EXPECT_EQ(RenewalDue(credentials), 4'200 * kNanosPerSecond);
  EXPECT_EQ(RenewalRetryNanos(credentials, 0), 100 * kNanosPerSecond);
  EXPECT_EQ(RenewalRetryNanos(credentials, 2), 400 * kNanosPerSecond);
  EXPECT_EQ(RenewalRetryNanos(credentials, 4'000'000'000U), 800 * kNanosPerSecond);
  credentials.not_after_unix_nanos = credentials.not_before_unix_nanos;
  EXPECT_EQ(RenewalRetryNanos(credentials, 0), kNanosPerSecond);
}

TEST(Renewal, TakesOnlyACertificateForThisHostAndThisKey) {
  const TestFleet fleet;
  HostState state;
  state.identity.host_id = NewUuid();
  state.identity.organisation = fleet.Organisation();
  state.ca_pem = fleet.CaPem();
  const KeyPtr key = Must(NewTlsKey());
  const std::string csr = Must(MakeCsrDer(*key));
  const auto check = [&](const std::string& pem) {
    return CheckRenewedCertificate(state, pem, *key, WallNowNanos()).status();
  };
  EXPECT_TRUE(check(fleet.IssueHost(csr, state.identity.host_id)).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(check(fleet.IssueHost(csr, NewUuid())))) << "another host";
  EXPECT_FALSE(check(fleet.Issue(IdentityKind::kHost, state.identity.host_id).certificate_pem).ok())
      << "another key";
  EXPECT_FALSE(check(TestFleet().IssueHost(csr, state.identity.host_id)).ok()) << "another CA";
  EXPECT_FALSE(check("no certificate").ok());
  EXPECT_FALSE(check(fleet.IssueHost(csr, state.identity.host_id, -1s)).ok()) << "lapsed";
}

}  // namespace
}  // namespace cordon::agent
