// The programs for kprobes, on the real kernel. Not every kernel has kprobes (the one that Cordon is built on
// has none): here the same programs are attached to functions of this test, which are called with addresses
// of the kernel's own tasks and credentials. What is not tried so is the kernel's call of them.

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "platform/linux/bpf/loading.h"
#include "platform/linux/processes/decode.h"
#include "platform/linux/processes/record.h"
#include "platform/linux/processes/record_ring.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wpedantic"
#include "own_address.skel.h"
#include "processes.skel.h"
#pragma GCC diagnostic pop

// Named without a namespace, so that they are found in the symbol table. The arguments are all that matters.
extern "C" {
__attribute__((noinline, used)) void cordon_test_commit_creds(uint64_t after) {
  asm volatile("" : : "r"(after) : "memory");
}
__attribute__((noinline, used)) void cordon_test_ptrace_link(uint64_t target, uint64_t tracer) {
  asm volatile("" : : "r"(target), "r"(tracer) : "memory");
}
}

namespace cordon::platform {
namespace {

constexpr size_t kRingBytes = 1 << 20;

struct Addresses {
  uint64_t task = 0;
  uint64_t credentials = 0;
};

Addresses AddressesOf(pid_t pid) {
  const BpfLoading loading;
  const std::unique_ptr<own_address_bpf, BpfDestroyer<own_address_bpf__destroy>> programs(
      own_address_bpf__open_and_load());
  if (programs == nullptr) return {};
  programs->bss->wanted_pid = pid;
  const BpfLink link(bpf_program__attach(programs->progs.find));
  const int iterator = bpf_iter_create(bpf_link__fd(link.get()));
  char nothing = 0;
  while (read(iterator, &nothing, 1) > 0) {
  }
  close(iterator);
  return {programs->bss->task_address, programs->bss->cred_address};
}

// A process with other ids and no capabilities, that waits.
class Nobody {
 public:
  Nobody() : pid_(fork()) {
    if (pid_ != 0) {
      WaitUntilItStops();
      return;
    }
    if (setresgid(99, 99, 99) != 0 || setresuid(1234, 1234, 1234) != 0) _exit(1);
    raise(SIGSTOP);
    _exit(0);
  }
  ~Nobody() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Nobody(const Nobody&) = delete;
  Nobody& operator=(const Nobody&) = delete;
  pid_t Pid() const { return pid_; }

 private:
  void WaitUntilItStops() const { waitpid(pid_, nullptr, WUNTRACED); }
  pid_t pid_;
};

class KprobePrograms : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for eBPF";
    const BpfLoading loading;
    programs_.reset(processes_bpf__open());
    ASSERT_NE(programs_, nullptr);
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, programs_->obj) bpf_program__set_autoload(program, false);
    bpf_program__set_autoload(programs_->progs.on_commit_creds, true);
    bpf_program__set_autoload(programs_->progs.on_ptrace_link, true);
    ASSERT_EQ(bpf_map__set_max_entries(programs_->maps.ring, kRingBytes), 0);
    ASSERT_EQ(processes_bpf__load(programs_.get()), 0);
    ASSERT_TRUE(ring_.Map(bpf_map__fd(programs_->maps.ring), kRingBytes).ok());
    AttachTo(programs_->progs.on_commit_creds, "cordon_test_commit_creds");
    AttachTo(programs_->progs.on_ptrace_link, "cordon_test_ptrace_link");
  }

  void AttachTo(bpf_program* program, const char* function) {
    LIBBPF_OPTS(bpf_uprobe_opts, options, .func_name = function);
    BpfLink link(bpf_program__attach_uprobe_opts(program, 0, "/proc/self/exe", 0, &options));
    ASSERT_NE(link, nullptr) << function;
    links_.push_back(std::move(link));
  }

  std::vector<RawProcessEvent> Records() {
    std::vector<RawProcessEvent> events;
    ring_.Consume([&](std::span<const char> bytes) {
      auto decoded = DecodeRecord(bytes);
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      events.push_back(std::move(decoded->event));
    });
    return events;
  }

  std::unique_ptr<processes_bpf, BpfDestroyer<processes_bpf__destroy>> programs_;
  std::vector<BpfLink> links_;
  RecordRing ring_;
};

TEST_F(KprobePrograms, ANewCredentialIsAChangeWithBothSides) {
  const Nobody nobody;
  cordon_test_commit_creds(AddressesOf(nobody.Pid()).credentials);
  const auto records = Records();
  ASSERT_EQ(records.size(), 1U);
  const auto& change = std::get<RawPrivilegeChange>(records[0].fact);
  EXPECT_EQ(change.process.pid, static_cast<uint32_t>(getpid()));
  EXPECT_EQ(change.before.uid, 0U);
  EXPECT_EQ(change.before.gid, 0U);
  EXPECT_NE(change.before.capabilities, 0U);
  EXPECT_EQ(change.after, (Privileges{.uid = 1234, .gid = 99, .capabilities = 0}));
}

TEST_F(KprobePrograms, ACredentialThatGivesNothingElseIsNoChange) {
  cordon_test_commit_creds(AddressesOf(getpid()).credentials);
  EXPECT_TRUE(Records().empty());
}

TEST_F(KprobePrograms, OnlyATracerThatTakesHoldByItselfIsTold) {
  const Nobody nobody;
  const Addresses target = AddressesOf(nobody.Pid());
  const Addresses self = AddressesOf(getpid());
  ASSERT_NE(self.task, 0U);
  cordon_test_ptrace_link(self.task, target.task);  // as when a program asks its parent to trace it
  EXPECT_TRUE(Records().empty());
  cordon_test_ptrace_link(target.task, self.task);
  const auto records = Records();
  ASSERT_EQ(records.size(), 1U);
  const auto& trace = std::get<RawTrace>(records[0].fact);
  EXPECT_EQ(trace.tracer.pid, static_cast<uint32_t>(getpid()));
  EXPECT_EQ(trace.target.pid, static_cast<uint32_t>(nobody.Pid()));
  EXPECT_GT(trace.target.start_boottime_nanos, trace.tracer.start_boottime_nanos);
}

}  // namespace
}  // namespace cordon::platform
