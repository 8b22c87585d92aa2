/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */

/* Where the kernel keeps the task and the credentials of one thread: for the test of the kprobes' programs,
 * which hands these addresses to them. */

// clang-format off: the helpers need the kernel types before them
#include "../../../platform/linux/processes/kernel_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
// clang-format on

char LICENSE[] SEC("license") = "Dual BSD/GPL";

int wanted_pid = 0;
__u64 task_address = 0;
__u64 cred_address = 0;

SEC("iter/task")
int find(struct bpf_iter__task* ctx) {
  struct task_struct* task = ctx->task;
  if (!task || task->pid != wanted_pid) return 0;
  task_address = (__u64)task;
  cred_address = (__u64)BPF_CORE_READ(task, cred);
  return 0;
}
