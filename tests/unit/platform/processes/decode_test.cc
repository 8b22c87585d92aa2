#include "platform/linux/processes/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <string_view>

#include "common/base/strings.h"
#include "platform/linux/processes/record.h"

namespace cordon::platform {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::string_view_literals;

cordon_head Head(uint32_t kind, size_t size) {
  cordon_head head{};
  head.kind = kind;
  head.size = static_cast<uint32_t>(size);
  head.boottime = 77;
  head.process = {.pid = 200, .reserved = 0, .start_boottime = 2000};
  head.parent = {.pid = 100, .reserved = 0, .start_boottime = 1000};
  return head;
}

std::string ExecBytes(std::string_view argv, uint32_t argv_total, std::string_view executable,
                      std::string_view cwd, std::string_view cgroup, uint32_t flags = 0) {
  cordon_exec exec{};
  exec.argv_total = argv_total;
  exec.argv_size = static_cast<uint32_t>(argv.size());
  exec.executable_size = static_cast<uint32_t>(executable.size());
  exec.cwd_size = static_cast<uint32_t>(cwd.size());
  exec.cgroup_size = static_cast<uint32_t>(cgroup.size());
  exec.flags = flags;
  exec.uid = 1;
  exec.session_id = 0xffffffff;
  std::strncpy(exec.comm, "kworker", sizeof(exec.comm));
  std::string text;
  for (const std::string_view part : {argv, executable, cwd, cgroup}) text += part;
  exec.head = Head(CORDON_EXEC, offsetof(cordon_exec, text) + text.size());
  return std::string(reinterpret_cast<const char*>(&exec), offsetof(cordon_exec, text)) + text;
}

std::string GoodExec() {
  return ExecBytes("ls\0-l\0\0"sv, 7, "ls\0bin\0usr\0"sv, ""sv, "abc\0docker\0"sv);
}

template <typename T>
std::string Bytes(const T& record) {
  return {reinterpret_cast<const char*>(&record), sizeof(record)};
}

TEST(DecodeRecord, ReadsAStart) {
  const auto decoded = DecodeRecord(GoodExec());
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->event.boottime_nanos, 77);
  const auto& exec = std::get<RawExec>(decoded->event.fact);
  EXPECT_EQ(exec.process, (ProcessKey{200, 2000}));
  EXPECT_EQ(exec.parent, (ProcessKey{100, 1000}));
  EXPECT_THAT(exec.argv, ElementsAre("ls", "-l", ""));
  EXPECT_TRUE(exec.argv_complete);
  EXPECT_EQ(exec.executable, "/usr/bin/ls");
  EXPECT_EQ(exec.cwd, "/");
  EXPECT_EQ(exec.cgroup, "/docker/abc");
  EXPECT_EQ(exec.uid, 1);
  EXPECT_EQ(exec.session_id, 0);
  EXPECT_FALSE(decoded->argv_missing);
}

TEST(DecodeRecord, SaysThatArgumentsWereCut) {
  const auto decoded = DecodeRecord(ExecBytes("ls\0-"sv, 70'000, "ls\0"sv, "tmp\0"sv, ""sv));
  ASSERT_TRUE(decoded.ok());
  const auto& exec = std::get<RawExec>(decoded->event.fact);
  EXPECT_THAT(exec.argv, ElementsAre("ls", "-"));
  EXPECT_FALSE(exec.argv_complete);
  EXPECT_EQ(exec.argv_total_bytes, 70'000);
}

TEST(DecodeRecord, APathThatWasCutIsNoAbsoluteOne) {
  const auto executable_of = [](uint32_t flags) {
    const auto decoded =
        DecodeRecord(ExecBytes("ls\0"sv, 3, "ls\0bin\0"sv, "tmp\0srv\0"sv, "abc\0"sv, flags));
    const auto& exec = std::get<RawExec>(decoded->event.fact);
    EXPECT_EQ(exec.cgroup, "/abc");
    return StrCat(exec.executable, " ", exec.cwd);
  };
  EXPECT_EQ(executable_of(0), "/bin/ls /srv/tmp");
  EXPECT_EQ(executable_of(CORDON_EXECUTABLE_CUT), ".../bin/ls /srv/tmp");
  EXPECT_EQ(executable_of(CORDON_CWD_CUT), "/bin/ls .../srv/tmp");
}

TEST(DecodeRecord, NamesAKernelThreadInBrackets) {
  const auto decoded =
      DecodeRecord(ExecBytes("", 0, "", "", "", CORDON_FROM_SNAPSHOT | CORDON_KERNEL_THREAD));
  ASSERT_TRUE(decoded.ok());
  const auto& exec = std::get<RawExec>(decoded->event.fact);
  EXPECT_THAT(exec.argv, ElementsAre("[kworker]"));
  EXPECT_EQ(exec.executable, "");
  EXPECT_TRUE(exec.from_snapshot);
}

TEST(DecodeRecord, AsksForArgumentsThatTheKernelSideCouldNotRead) {
  const auto decoded = DecodeRecord(ExecBytes("", 9, "ls\0"sv, "", "", CORDON_ARGV_UNREADABLE));
  ASSERT_TRUE(decoded.ok());
  EXPECT_TRUE(decoded->argv_missing);
  EXPECT_THAT(std::get<RawExec>(decoded->event.fact).argv, IsEmpty());
}

TEST(DecodeRecord, ReadsAFork) {
  const auto decoded = DecodeRecord(Bytes(cordon_fork{.head = Head(CORDON_FORK, sizeof(cordon_fork))}));
  ASSERT_TRUE(decoded.ok());
  const auto& fork = std::get<RawFork>(decoded->event.fact);
  EXPECT_EQ(fork.child, (ProcessKey{200, 2000}));
  EXPECT_EQ(fork.parent, (ProcessKey{100, 1000}));
}

TEST(DecodeRecord, ReadsAnEnd) {
  cordon_exit end{};
  end.head = Head(CORDON_EXIT, sizeof(end));
  end.status = 3 << 8;
  end.cpu_nanos = 5;
  end.peak_pages = 2;
  auto decoded = DecodeRecord(Bytes(end));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(std::get<RawExit>(decoded->event.fact).exit_code, 3);
  EXPECT_EQ(std::get<RawExit>(decoded->event.fact).signal, 0);
  EXPECT_EQ(std::get<RawExit>(decoded->event.fact).cpu_nanos, 5);
  EXPECT_EQ(std::get<RawExit>(decoded->event.fact).peak_memory_bytes, 2 * 4096);
  end.status = 9 | 0x80;  // killed, with a core
  decoded = DecodeRecord(Bytes(end));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(std::get<RawExit>(decoded->event.fact).exit_code, 0);
  EXPECT_EQ(std::get<RawExit>(decoded->event.fact).signal, 9);
}

TEST(DecodeRecord, KnowsAProgramWithoutAFile) {
  auto decoded = DecodeRecord(ExecBytes("x\0"sv, 2, "memfd:x\0"sv, ""sv, ""sv, CORDON_FROM_MEMORY));
  ASSERT_TRUE(decoded.ok());
  EXPECT_TRUE(std::get<RawExec>(decoded->event.fact).from_memory);
  EXPECT_EQ(std::get<RawExec>(decoded->event.fact).executable, "/memfd:x");
  decoded = DecodeRecord(GoodExec());
  ASSERT_TRUE(decoded.ok());
  EXPECT_FALSE(std::get<RawExec>(decoded->event.fact).from_memory);
}

cordon_privilege GoodPrivilegeChange() {
  return {.head = Head(CORDON_PRIVILEGE, sizeof(cordon_privilege)),
          .uid_before = 1,
          .uid_after = 2,
          .gid_before = 3,
          .gid_after = 4,
          .capabilities_before = 5,
          .capabilities_after = uint64_t{6} << 32};
}

TEST(DecodeRecord, ReadsAChangeOfPrivileges) {
  const auto decoded = DecodeRecord(Bytes(GoodPrivilegeChange()));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const auto& change = std::get<RawPrivilegeChange>(decoded->event.fact);
  EXPECT_EQ(change.process, (ProcessKey{200, 2000}));
  EXPECT_EQ(change.before, (Privileges{.uid = 1, .gid = 3, .capabilities = 5}));
  EXPECT_EQ(change.after, (Privileges{.uid = 2, .gid = 4, .capabilities = uint64_t{6} << 32}));
}

TEST(DecodeRecord, ReadsATracer) {
  const auto decoded = DecodeRecord(
      Bytes(cordon_trace{.head = Head(CORDON_TRACE, sizeof(cordon_trace)), .target = {300, 0, 3000}}));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(std::get<RawTrace>(decoded->event.fact).tracer, (ProcessKey{200, 2000}));
  EXPECT_EQ(std::get<RawTrace>(decoded->event.fact).target, (ProcessKey{300, 3000}));
}

TEST(DecodeRecord, ReadsTheNameOfAModuleAlsoOneThatFillsItsPlace) {
  cordon_module module{.head = Head(CORDON_MODULE, sizeof(cordon_module)), .name = "nf_tables"};
  auto decoded = DecodeRecord(Bytes(module));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(std::get<RawModuleLoad>(decoded->event.fact).name, "nf_tables");
  EXPECT_EQ(std::get<RawModuleLoad>(decoded->event.fact).process, (ProcessKey{200, 2000}));
  std::memset(module.name, 'm', sizeof(module.name));
  decoded = DecodeRecord(Bytes(module));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(std::get<RawModuleLoad>(decoded->event.fact).name, std::string(sizeof(module.name), 'm'));
}

TEST(DecodeRecord, RefusesOthersOfAWrongSize) {
  for (const std::string& good :
       {Bytes(GoodPrivilegeChange()), Bytes(cordon_trace{.head = Head(CORDON_TRACE, sizeof(cordon_trace))}),
        Bytes(cordon_module{.head = Head(CORDON_MODULE, sizeof(cordon_module))})}) {
    ASSERT_TRUE(DecodeRecord(good).ok());
    for (const std::string& bad : {good.substr(0, good.size() - 1), good + '\0'}) {
      std::string patched = bad;
      const auto claimed = static_cast<uint32_t>(bad.size());
      std::memcpy(patched.data() + offsetof(cordon_head, size), &claimed, sizeof(claimed));
      EXPECT_FALSE(DecodeRecord(patched).ok());
    }
  }
}

TEST(DecodeRecord, RefusesEveryTruncation) {
  const std::string good = GoodExec();
  ASSERT_TRUE(DecodeRecord(good).ok());
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(DecodeRecord(std::string_view(good).substr(0, size)).ok()) << size;
    std::string patched = good.substr(0, size);  // and when its size field agrees
    if (size < sizeof(cordon_head)) continue;
    const auto claimed = static_cast<uint32_t>(size);
    std::memcpy(patched.data() + offsetof(cordon_head, size), &claimed, sizeof(claimed));
    EXPECT_FALSE(DecodeRecord(patched).ok()) << size;
  }
}

TEST(DecodeRecord, RefusesLengthsThatOnlyAddUpModulo32Bits) {
  std::string bytes = GoodExec();
  const uint32_t huge = 0xffffffff;
  const uint32_t rest = 1 + 7 + 11 + 11;  // wraps to the right sum
  std::memcpy(bytes.data() + offsetof(cordon_exec, executable_size), &huge, sizeof(huge));
  std::memcpy(bytes.data() + offsetof(cordon_exec, cwd_size), &rest, sizeof(rest));
  EXPECT_FALSE(DecodeRecord(bytes).ok());
}

TEST(DecodeRecord, RefusesAnUnknownKind) {
  EXPECT_FALSE(DecodeRecord(Bytes(cordon_fork{.head = Head(99, sizeof(cordon_fork))})).ok());
}

TEST(DecodeRecord, SurvivesRandomBytes) {
  std::mt19937 random(1);  // NOLINT: the same bytes in every run
  const std::string good = GoodExec();
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (int change = 0; change < 4; ++change) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (const auto decoded = DecodeRecord(bytes); !decoded.ok()) {
      EXPECT_EQ(decoded.status().code(), absl::StatusCode::kInvalidArgument);
    }
  }
}

}  // namespace
}  // namespace cordon::platform
