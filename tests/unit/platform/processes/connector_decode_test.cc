#include "platform/linux/processes/connector_decode.h"

#include <gtest/gtest.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>

#include <cstring>
#include <random>
#include <string>

namespace cordon::platform {
namespace {

std::string Datagram(const proc_event& event, uint32_t index = CN_IDX_PROC) {
  std::string bytes(NLMSG_LENGTH(sizeof(cn_msg) + sizeof(event)), '\0');
  const nlmsghdr head{.nlmsg_len = static_cast<uint32_t>(bytes.size()), .nlmsg_type = NLMSG_DONE};
  const cb_id id{index, CN_VAL_PROC};
  std::memcpy(bytes.data(), &head, sizeof(head));
  std::memcpy(bytes.data() + NLMSG_HDRLEN, &id, sizeof(id));
  std::memcpy(bytes.data() + NLMSG_HDRLEN + sizeof(cn_msg), &event, sizeof(event));
  return bytes;
}

proc_event Fork(int child_pid, int child_tgid) {
  proc_event event{};
  event.what = proc_event::PROC_EVENT_FORK;
  event.timestamp_ns = 5;
  event.event_data.fork.parent_pid = 101;
  event.event_data.fork.parent_tgid = 100;
  event.event_data.fork.child_pid = child_pid;
  event.event_data.fork.child_tgid = child_tgid;
  return event;
}

TEST(DecodeConnector, ReadsForksOfProcessesAndNotOfThreads) {
  const auto events = DecodeConnector(Datagram(Fork(200, 200)));
  ASSERT_EQ(events.size(), 1);
  EXPECT_EQ(events[0].kind, ConnectorEvent::kFork);
  EXPECT_EQ(events[0].pid, 200);
  EXPECT_EQ(events[0].parent_pid, 100);
  EXPECT_EQ(events[0].monotonic_nanos, 5);
  EXPECT_TRUE(DecodeConnector(Datagram(Fork(201, 200))).empty());
}

TEST(DecodeConnector, ReadsExecsAndEnds) {
  proc_event event{};
  event.what = proc_event::PROC_EVENT_EXEC;
  event.event_data.exec.process_pid = event.event_data.exec.process_tgid = 200;
  ASSERT_EQ(DecodeConnector(Datagram(event)).size(), 1);
  EXPECT_EQ(DecodeConnector(Datagram(event))[0].kind, ConnectorEvent::kExec);

  event = {};
  event.what = proc_event::PROC_EVENT_EXIT;
  event.event_data.exit.process_pid = event.event_data.exit.process_tgid = 200;
  event.event_data.exit.exit_code = 3 << 8;
  ASSERT_EQ(DecodeConnector(Datagram(event)).size(), 1);
  EXPECT_EQ(DecodeConnector(Datagram(event))[0].kind, ConnectorEvent::kExit);
  EXPECT_EQ(DecodeConnector(Datagram(event))[0].status, 3 << 8);
}

TEST(DecodeConnector, ReadsChangesOfUserAndGroupAlsoOfThreads) {
  proc_event event{};
  event.what = proc_event::PROC_EVENT_UID;
  event.event_data.id.process_pid = 201;
  event.event_data.id.process_tgid = 200;
  event.event_data.id.r.ruid = 1;
  event.event_data.id.e.euid = 2;
  auto events = DecodeConnector(Datagram(event));
  ASSERT_EQ(events.size(), 1);
  EXPECT_EQ(events[0].kind, ConnectorEvent::kUserId);
  EXPECT_EQ(events[0].pid, 200);
  EXPECT_EQ(events[0].effective_id, 2);
  event.what = proc_event::PROC_EVENT_GID;
  events = DecodeConnector(Datagram(event));
  ASSERT_EQ(events.size(), 1);
  EXPECT_EQ(events[0].kind, ConnectorEvent::kGroupId);
  EXPECT_EQ(events[0].effective_id, 2);
}

TEST(DecodeConnector, ReadsTracersAndNotTheirLettingGo) {
  proc_event event{};
  event.what = proc_event::PROC_EVENT_PTRACE;
  event.event_data.ptrace.process_pid = event.event_data.ptrace.process_tgid = 200;
  event.event_data.ptrace.tracer_pid = 101;
  event.event_data.ptrace.tracer_tgid = 100;
  const auto events = DecodeConnector(Datagram(event));
  ASSERT_EQ(events.size(), 1);
  EXPECT_EQ(events[0].kind, ConnectorEvent::kTrace);
  EXPECT_EQ(events[0].pid, 200);
  EXPECT_EQ(events[0].tracer_pid, 100);
  event.event_data.ptrace.tracer_pid = event.event_data.ptrace.tracer_tgid = 0;
  EXPECT_TRUE(DecodeConnector(Datagram(event)).empty());
}

TEST(DecodeConnector, ReadsAllMessagesOfADatagram) {
  const std::string one = Datagram(Fork(200, 200));
  EXPECT_EQ(DecodeConnector(one + one + one).size(), 3);
}

TEST(DecodeConnector, SkipsWhatIsNotAProcessEvent) {
  ASSERT_EQ(DecodeConnector(Datagram(Fork(200, 200))).size(), 1);
  EXPECT_TRUE(DecodeConnector(Datagram(Fork(200, 200), 99)).empty());
  const std::string good = Datagram(Fork(200, 200));
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_TRUE(DecodeConnector({good.data(), size}).empty()) << size;
  }
}

TEST(DecodeConnector, SurvivesRandomBytes) {
  std::mt19937 random(1);  // NOLINT: the same bytes in every run
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = Datagram(Fork(200, 200)) + Datagram(Fork(201, 201));
    for (int change = 0; change < 4; ++change) bytes[random() % bytes.size()] = static_cast<char>(random());
    EXPECT_LE(DecodeConnector(bytes).size(), bytes.size() / sizeof(nlmsghdr));
  }
}

}  // namespace
}  // namespace cordon::platform
