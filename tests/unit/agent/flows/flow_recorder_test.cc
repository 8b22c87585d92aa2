#include "agent/flows/flow_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/strings.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_flow_source.h"
#include "tests/fakes/fake_process_directory.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

platform::RawFlow Raw(const std::string& remote, uint16_t port, uint32_t pid, uint32_t times = 1) {
  platform::RawFlow raw;
  raw.boottime_nanos = 990 * kNanosPerSecond;  // ten seconds ago, by FakeClock
  raw.flow.local = {boost::asio::ip::make_address("10.9.9.9"), 0};
  raw.flow.remote = {boost::asio::ip::make_address(remote), port};
  raw.pid = pid;
  raw.times = times;
  return raw;
}

class FlowRecorderTest : public ::testing::Test {
 protected:
  FlowRecorderTest() { processes_.Started(7, {"guid", "/opt/pms/client"}); }

  std::unique_ptr<FlowRecorder> Make() {
    return std::make_unique<FlowRecorder>(
        FlowRecorder::Parts{.source = source_, .processes = processes_, .clock = clock_, .dns = dns_},
        FlowHistory::Open({.file = folder_ / "flows.db"}, clock_.WallNanos()));
  }

  testing::TempFolder folder_;
  testing::FakeClock clock_;
  testing::FakeProcessDirectory processes_;
  testing::FakeFlowSource source_;
  testing::FakeDnsObserver dns_;
};

TEST_F(FlowRecorderTest, FindsTheProgramAndSumsUp) {
  const auto recorder = Make();
  ASSERT_TRUE(recorder->Start().ok());
  source_.Happen({Raw("10.2.0.9", 443, 7), Raw("10.2.0.9", 443, 7, 5), Raw("10.2.0.9", 443, 8)});
  std::vector<KnownFlow> past = recorder->Past();
  ASSERT_THAT(past, SizeIs(2));
  std::ranges::sort(past, {}, &KnownFlow::executable);
  EXPECT_EQ(past[0].executable, "") << "nobody knows pid 8";
  EXPECT_EQ(past[1].executable, "/opt/pms/client");
  EXPECT_EQ(past[1].times_seen, 6U);
  EXPECT_EQ(past[1].last_seen_unix_nanos, clock_.WallNanos() - 10 * kNanosPerSecond);
}

TEST_F(FlowRecorderTest, TellsANewKindOfConnectionWithItsNameAndProgram) {
  testing::RecordingSink sink;
  FlowRecorder recorder(
      {.source = source_, .processes = processes_, .clock = clock_, .dns = dns_, .events = &sink},
      absl::UnavailableError("none"));
  ASSERT_TRUE(recorder.Start().ok());
  using namespace std::string_literals;
  dns_.Hear(
      "\0\7\x81\x80\0\1\0\1\0\0\0\0\3pms\7example\3vet\0\0\1\0\1"s
      "\3pms\7example\3vet\0\0\1\0\1\0\0\0\x3c\0\4\x0a\2\0\x09"s);
  platform::RawFlow own = Raw("192.0.2.7", 7443, 7);
  own.flow.agent_owned = true;
  source_.Happen({own, Raw("127.0.0.53", 53, 7), Raw("10.2.0.9", 443, 7), Raw("10.2.0.9", 443, 7)});
  recorder.Stop();
  const auto events = sink.Events();
  ASSERT_THAT(events, SizeIs(1)) << "not its own, not what stays on the host, and no repeats";
  EXPECT_EQ(events[0].event_class, v1::EVENT_CLASS_PROCESS);
  EXPECT_EQ(events[0].time_unix_nanos, clock_.WallNanos() - 10 * kNanosPerSecond);
  const v1::Connection& told = events[0].event.connection();
  EXPECT_EQ(told.direction(), v1::Connection::DIRECTION_OUT);
  EXPECT_EQ(told.protocol(), 6);
  EXPECT_EQ(told.remote_address(), std::string("\x0a\x02\0\x09", 4));
  EXPECT_EQ(told.port(), 443);
  EXPECT_EQ(told.remote_name(), "pms.example.vet");
  EXPECT_EQ(told.process_guid(), "guid");
  EXPECT_EQ(told.executable(), "/opt/pms/client");
  EXPECT_EQ(told.pid(), 7);
  EXPECT_EQ(told.times(), 1);
}

TEST_F(FlowRecorderTest, TEL1_TellsHowManyConnectionsWereLost) {
  testing::RecordingSink sink;
  FlowRecorder recorder(
      {.source = source_, .processes = processes_, .clock = clock_, .dns = dns_, .events = &sink},
      absl::UnavailableError("none"));
  ASSERT_TRUE(recorder.Start().ok());
  source_.Lose(3);
  recorder.Stop();
  const auto events = sink.Events();
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].event_class, v1::EVENT_CLASS_CONTROL);
  EXPECT_EQ(events[0].event.gap().cause(), v1::Gap::CAUSE_KERNEL_BUFFER_FULL);
  EXPECT_EQ(events[0].event.gap().event_class(), v1::EVENT_CLASS_PROCESS);
  EXPECT_EQ(events[0].event.gap().count(), 3);
  EXPECT_LE(events[0].event.gap().first_time_unix_nanos(), events[0].event.gap().last_time_unix_nanos());
}

TEST_F(FlowRecorderTest, LeavesOutItsOwnTrafficAndWhatStaysOnTheHost) {
  const auto recorder = Make();
  ASSERT_TRUE(recorder->Start().ok());
  platform::RawFlow own = Raw("192.0.2.7", 7443, 7);
  own.flow.agent_owned = true;
  source_.Happen({own, Raw("127.0.0.53", 53, 7), Raw("10.9.9.9", 80, 7)});
  EXPECT_THAT(recorder->Past(), IsEmpty());
  source_.Happen(Raw("10.2.0.9", 443, 7));
  EXPECT_THAT(recorder->Past(), SizeIs(1)) << "the positive control";
}

TEST_F(FlowRecorderTest, RemembersThroughARestart) {
  {
    const auto recorder = Make();
    ASSERT_TRUE(recorder->Start().ok());
    source_.Happen(Raw("10.2.0.9", 443, 7));
  }  // stops, and writes
  const auto recorder = Make();
  EXPECT_THAT(recorder->Past(), SizeIs(1));
}

TEST_F(FlowRecorderTest, NamesAFlowByTheAnswerThatWasOverheard) {
  const auto recorder = Make();
  ASSERT_TRUE(recorder->Start().ok());
  using namespace std::string_literals;
  dns_.Hear(
      "\0\7\x81\x80\0\1\0\1\0\0\0\0\3pms\7example\3vet\0\0\1\0\1"s
      "\3pms\7example\3vet\0\0\1\0\1\0\0\0\x3c\0\4\x0a\2\0\x09"s);
  source_.Happen(Raw("10.2.0.9", 443, 7));
  EXPECT_THAT(recorder->Past().at(0).names, ElementsAre("pms.example.vet"));
  EXPECT_THAT(recorder->NamesOf(boost::asio::ip::make_address("10.2.0.9")), ElementsAre("pms.example.vet"));
}

TEST_F(FlowRecorderTest, SaysWhatItCannotKnow) {
  const auto healthy = Make();
  ASSERT_TRUE(healthy->Start().ok());
  EXPECT_THAT(healthy->Notes(), Contains("It is a fake."));
  healthy->Stop();

  source_.FailStart(absl::PermissionDeniedError("not root"));
  dns_.FailStart(absl::PermissionDeniedError("no raw sockets"));
  FlowRecorder recorder({.source = source_, .processes = processes_, .clock = clock_, .dns = dns_},
                        absl::UnavailableError("the disk is full"));
  EXPECT_FALSE(recorder.Start().ok());
  source_.Lose(3);
  EXPECT_THAT(
      recorder.Notes(),
      ElementsAre("New flows are not seen: not root", "Names are not seen: no raw sockets",
                  "There is no history of flows: the disk is full", HasSubstr("3 flows came too fast")));
  EXPECT_EQ(recorder.SinceUnixNanos(), 0);
}

TEST_F(FlowRecorderTest, WithoutAHistoryItKnowsWhatItSawItself) {
  FlowRecorder recorder({.source = source_, .processes = processes_, .clock = clock_, .dns = dns_},
                        absl::UnavailableError("the disk is full"));
  ASSERT_TRUE(recorder.Start().ok());
  for (uint32_t at = 0; at < FlowRecorder::kMaxUnwritten + 100; ++at) {
    source_.Happen(Raw(boost::asio::ip::address_v4(0x0B000000U + at).to_string(), 445, 7));
    if (at % 1'000 == 0) recorder.Past();
  }
  EXPECT_THAT(recorder.Past(), SizeIs(FlowRecorder::kMaxUnwritten)) << "bounded";
  EXPECT_THAT(recorder.Notes(), Contains(HasSubstr("100 flows came too fast")));
}

}  // namespace
}  // namespace cordon::agent
