#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/uuid.h"
#include "controller/cordonctl/audit_file.h"
#include "controller/cordonctl/order_flow.h"
#include "controller/cordonctl/order_text.h"
#include "controller/cordonctl/sequence.h"
#include "controller/cordonctl/since.h"
#include "controller/cordonctl/target.h"
#include "controller/cordonctl/wait.h"

namespace cordon::ctl {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kNow = 1'790'000'000 * kNanosPerSecond;

v1::Host MakeHost(const std::string& name, const std::string& site) {
  v1::Host host;
  host.set_host_id(NewUuid());
  host.mutable_facts()->set_host_name(name);
  host.set_site(site);
  host.set_state(v1::HOST_STATE_CONNECTED);
  return host;
}

TEST(Sequence, ISO9_RisesWithTheClockAndStepsOverTheNewestOrder) {
  constexpr uint64_t kNowMicros = kNow / 1'000;
  EXPECT_EQ(*NextSequence(kNow, 0), kNowMicros);
  EXPECT_EQ(*NextSequence(kNow, kNowMicros - 1), kNowMicros);
  EXPECT_EQ(*NextSequence(kNow, kNowMicros), kNowMicros + 1);
  EXPECT_EQ(*NextSequence(kNow, kNowMicros + 299'000'000), kNowMicros + 299'000'001);
}

TEST(Sequence, AUT3_IsNotSpentByAControllerThatNamesAFarOne) {
  const absl::Status far = NextSequence(kNow, kNow / 1'000 + 301'000'000).status();
  EXPECT_EQ(far.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Message(far)), HasSubstr("5m1s ahead"));
  EXPECT_FALSE(NextSequence(kNow, ~0ULL).ok());
  EXPECT_FALSE(NextSequence(0, 0).ok());
}

TEST(TargetOptions, AreSignedWithIdAndName) {
  const std::vector<v1::Host> hosts = {MakeHost("front-desk", "leeds"), MakeHost("server", "leeds")};
  const absl::StatusOr<v1::Target> target = BuildTarget({.hosts = {"Front-Desk"}}, hosts, kNow);
  ASSERT_TRUE(target.ok()) << target.status();
  ASSERT_EQ(target->hosts_size(), 1);
  EXPECT_EQ(target->hosts(0).host_id(), hosts[0].host_id());
  EXPECT_EQ(target->hosts(0).name(), "front-desk");
  EXPECT_EQ(Matching(*target, hosts).size(), 1U);
}

TEST(TargetOptions, ThatAreAmbiguousListTheCandidates) {
  std::vector<v1::Host> hosts = {MakeHost("till", "leeds"), MakeHost("till", "york")};
  const absl::Status status = BuildTarget({.hosts = {"till"}}, hosts, kNow).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Message(status)), HasSubstr(hosts[0].host_id()));
  EXPECT_THAT(std::string(Message(status)), HasSubstr("site york"));
  EXPECT_TRUE(BuildTarget({.hosts = {hosts[1].host_id()}}, hosts, kNow).ok());
  hosts[0].set_state(v1::HOST_STATE_REVOKED);
  EXPECT_TRUE(BuildTarget({.hosts = {"till"}}, hosts, kNow).ok()) << "a revoked host has no name";
}

// A host says its name itself.
TEST(TargetOptions, AUT2_AnIdMeansItsHostWhateverAnotherCallsItself) {
  std::vector<v1::Host> hosts = {MakeHost("", "leeds"), MakeHost("till", "leeds")};
  hosts[0].mutable_facts()->set_host_name(hosts[1].host_id());
  const absl::StatusOr<v1::Target> target = BuildTarget({.hosts = {hosts[1].host_id()}}, hosts, kNow);
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_EQ(target->hosts(0).host_id(), hosts[1].host_id());
  EXPECT_EQ(target->hosts(0).name(), "till");
}

TEST(TargetOptions, ThatNameNothingOrTooMuchAreBadUsage) {
  EXPECT_TRUE(absl::IsInvalidArgument(BuildTarget({}, {}, kNow).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(BuildTarget({.sites = {"leeds"}, .all = true}, {}, kNow).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(BuildTarget({.labels = {"role"}}, {}, kNow).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(BuildTarget({.sites = {"Leeds"}}, {}, kNow).status()));
  EXPECT_TRUE(absl::IsNotFound(BuildTarget({.hosts = {"nobody"}}, {}, kNow).status()));
  EXPECT_TRUE(BuildTarget({.labels = {"role=x=y"}}, {}, kNow).ok());
}

TEST(Consent, IsNeededForMoreThanOneNamedHost) {
  v1::Target one;
  one.add_hosts();
  EXPECT_FALSE(NeedsConsent(one, 1));
  EXPECT_TRUE(NeedsConsent(one, 2));
  v1::Target site;
  site.add_sites("leeds");
  EXPECT_TRUE(NeedsConsent(site, 1));
  v1::Target all;
  all.set_all(true);
  EXPECT_TRUE(NeedsConsent(all, 1));
}

TEST(Since, TakesALengthOrATime) {
  EXPECT_EQ(*ParseSince("1h", kNow), kNow - 3'600 * kNanosPerSecond);
  EXPECT_EQ(*ParseSince("1970-01-01T00:00:05Z", kNow), 5 * kNanosPerSecond);
  EXPECT_EQ(*ParseSince("1970-01-01T01:00:05+01:00", kNow), 5 * kNanosPerSecond);
  EXPECT_TRUE(absl::IsInvalidArgument(ParseSince("yesterday", kNow).status()));
}

v1::WatchOrderResponse Outcome(const v1::Host& host, v1::OrderOutcome::State state) {
  v1::WatchOrderResponse message;
  message.mutable_outcome()->set_host_id(host.host_id());
  message.mutable_outcome()->set_state(state);
  return message;
}

TEST(Progress, CountsAndDecidesTheExitStatus) {
  const std::vector<v1::Host> hosts = {MakeHost("a", "leeds"), MakeHost("b", "leeds"),
                                       MakeHost("c", "leeds")};
  OrderProgress progress({}, hosts);
  EXPECT_EQ(progress.Result(), ExitCode::kNotAllAnswered);
  progress.Apply(Outcome(hosts[0], v1::OrderOutcome::STATE_DONE));
  v1::WatchOrderResponse running = Outcome(hosts[1], v1::OrderOutcome::STATE_RUNNING);
  running.mutable_outcome()->mutable_progress()->set_bytes_done(43);
  running.mutable_outcome()->mutable_progress()->set_bytes_total(100);
  running.mutable_outcome()->mutable_progress()->set_remaining_nanos(130 * kNanosPerSecond);
  progress.Apply(running);
  EXPECT_EQ(progress.Line(), "1 of 3 hosts done, 2 waiting (1 running); slowest: b 43 %, 2m10s left");
  EXPECT_FALSE(progress.Finished());
  progress.Apply(Outcome(hosts[1], v1::OrderOutcome::STATE_DONE));
  progress.Apply(Outcome(hosts[2], v1::OrderOutcome::STATE_DONE));
  EXPECT_EQ(progress.Line(), "3 of 3 hosts done");
  EXPECT_EQ(progress.Result(), ExitCode::kDone);
}

TEST(Progress, OfARefusalIsAFailureEvenWhileOthersWait) {
  const std::vector<v1::Host> hosts = {MakeHost("a", "leeds"), MakeHost("b", "leeds")};
  OrderProgress progress({}, hosts);
  progress.Apply(Outcome(hosts[0], v1::OrderOutcome::STATE_REFUSED));
  EXPECT_EQ(progress.Line(), "0 of 2 hosts done, 1 refused, 1 waiting; slowest: b");
  EXPECT_EQ(progress.Result(), ExitCode::kFailed);
}

TEST(Progress, ISO7_OfAHostThatIsDoneAndNotClosedIsAFailure) {
  const std::vector<v1::Host> hosts = {MakeHost("a", "leeds"), MakeHost("b", "leeds")};
  v1::Order isolate;
  isolate.mutable_isolate()->set_level(v1::LEVEL_ESSENTIAL);
  const auto with = [&](const v1::Order& order, v1::Containment second) {
    OrderProgress progress(order, hosts);
    for (const auto& [host, containment] :
         {std::pair(hosts[0], order.has_release() ? second : v1::CONTAINMENT_CONTAINED),
          std::pair(hosts[1], second)}) {
      v1::WatchOrderResponse done = Outcome(host, v1::OrderOutcome::STATE_DONE);
      done.mutable_outcome()->mutable_receipt()->set_containment(containment);
      progress.Apply(done);
    }
    return std::pair(progress.Line(), progress.Result());
  };
  EXPECT_EQ(with(isolate, v1::CONTAINMENT_CONTAINED),
            std::pair(std::string("2 of 2 hosts done"), ExitCode::kDone));
  EXPECT_EQ(with(isolate, v1::CONTAINMENT_PARTIAL),
            std::pair(std::string("2 of 2 hosts done (1 partial)"), ExitCode::kDone));
  EXPECT_EQ(with(isolate, v1::CONTAINMENT_UNCERTAIN),
            std::pair(std::string("2 of 2 hosts done (1 uncertain)"), ExitCode::kFailed));
  EXPECT_EQ(with(isolate, v1::CONTAINMENT_OPEN),
            std::pair(std::string("2 of 2 hosts done (1 open)"), ExitCode::kFailed));
  v1::Order release;
  release.mutable_release();
  EXPECT_EQ(with(release, v1::CONTAINMENT_OPEN),
            std::pair(std::string("2 of 2 hosts done"), ExitCode::kDone));
}

// Of a scan that has read so many MiB and files in so many seconds.
v1::WatchOrderResponse Scanning(const v1::Host& host, v1::ScanProgress::State state, uint64_t mib,
                                uint64_t files, int64_t seconds) {
  v1::WatchOrderResponse message =
      Outcome(host, state == v1::ScanProgress::STATE_DONE ? v1::OrderOutcome::STATE_DONE
                                                          : v1::OrderOutcome::STATE_RUNNING);
  v1::ScanProgress& scan = *message.mutable_outcome()->mutable_progress();
  scan.set_state(state);
  scan.set_bytes_done(mib << 20U);
  scan.set_files_done(files);
  scan.set_elapsed_nanos(seconds * kNanosPerSecond);
  return message;
}

TEST(Progress, OfAScanSaysHowFastItIsByTheLastTwoMessages) {
  const std::vector<v1::Host> hosts = {MakeHost("a", "leeds")};
  OrderProgress progress({}, hosts);
  const auto after = [&](v1::ScanProgress::State state, uint64_t mib, uint64_t files, int64_t seconds) {
    progress.Apply(Scanning(hosts[0], state, mib, files, seconds));
    return progress.Line();
  };
  constexpr auto kRunning = v1::ScanProgress::STATE_RUNNING;
  const std::string begin = "0 of 1 host done, 1 waiting (1 running); slowest: a";
  EXPECT_EQ(after(kRunning, 10, 100, 1), StrCat(begin, " 100 files")) << "one message tells no rate";
  EXPECT_EQ(after(kRunning, 210, 300, 3), StrCat(begin, " 300 files, 100.0 MiB/s, 100 files/s"));
  EXPECT_EQ(after(kRunning, 210, 2300, 5), StrCat(begin, " 2300 files, 0 B/s, 1000 files/s"));
  EXPECT_EQ(after(kRunning, 210, 2300, 7), StrCat(begin, " 2300 files")) << "at rest";
  EXPECT_EQ(after(kRunning, 100, 1000, 8), StrCat(begin, " 1000 files")) << "from its cursor on";
  EXPECT_EQ(after(kRunning, 150, 1010, 9), StrCat(begin, " 1010 files, 50.0 MiB/s, 10 files/s"));
  EXPECT_EQ(after(v1::ScanProgress::STATE_PAUSED, 150, 1010, 9), StrCat(begin, " (paused) 1010 files"));
  after(v1::ScanProgress::STATE_DONE, 1000, 5000, 10);
  const ScanRate& rate = progress.Hosts().begin()->second.rate;
  EXPECT_EQ(rate.BytesPerSecond(), 100ULL << 20U) << "over all of it";
  EXPECT_EQ(rate.FilesPerSecond(), 500U);
}

TEST(AuditLine, ComesBackAsItWas) {
  v1::AuditEntry entry;
  entry.set_index(3);
  entry.set_time_unix_nanos(kNow);
  entry.set_actor("operator/x");
  entry.set_action("order.submit");
  entry.set_detail("a \"quoted\"\nline \xc3\xbc");
  entry.set_previous_hash(std::string(32, '\0'));
  entry.set_hash(std::string(32, '\xfe'));
  std::string line = FormatAuditLine(entry);
  line.pop_back();
  const absl::StatusOr<v1::AuditEntry> read = ParseAuditLine(line);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), entry.SerializeAsString());
  for (size_t cut = 0; cut < line.size(); ++cut) EXPECT_FALSE(ParseAuditLine(line.substr(0, cut)).ok());
  EXPECT_FALSE(ParseAuditLine("{}").ok());
}

}  // namespace
}  // namespace cordon::ctl
