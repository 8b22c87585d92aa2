/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */

/* Marks sockets by the executable of the program that opens them. At its creation a socket gets the mark of
 * the program that creates it; at connect it is judged anew by who connects, so that a socket handed to
 * another program opens nothing new. Marks that others have set are left alone. Nothing is ever refused here:
 * the packet filter asks for the marks. */

// clang-format off: the helpers need the kernel types before them
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>

#include "identity.h"
// clang-format on

#define SOL_SOCKET 1
#define SO_MARK 36
#define I_CTIME_QUERIED 0x80000000u /* a flag in i_ctime_nsec since 6.13 */

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct cordon_scope);
} cordon_scope SEC(".maps");

/* Executable -> mark. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, CORDON_MAX_PROGRAMS);
  __type(key, struct cordon_executable);
  __type(value, __u32);
} cordon_files SEC(".maps");

/* The marks that are given now; the value says nothing. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, CORDON_MAX_PROGRAMS);
  __type(key, __u32);
  __type(value, __u32);
} cordon_marks SEC(".maps");

static __always_inline void read_ctime(struct cordon_executable* key, struct inode* inode) {
  if (bpf_core_field_exists(inode->i_ctime_sec)) {
    key->ctime_sec = BPF_CORE_READ(inode, i_ctime_sec);
    key->ctime_nsec = BPF_CORE_READ(inode, i_ctime_nsec);
  } else if (bpf_core_field_exists(((struct inode___6_6*)inode)->__i_ctime)) {
    key->ctime_sec = BPF_CORE_READ((struct inode___6_6*)inode, __i_ctime.tv_sec);
    key->ctime_nsec = BPF_CORE_READ((struct inode___6_6*)inode, __i_ctime.tv_nsec);
  } else {
    key->ctime_sec = BPF_CORE_READ((struct inode___before_6_6*)inode, i_ctime.tv_sec);
    key->ctime_nsec = BPF_CORE_READ((struct inode___before_6_6*)inode, i_ctime.tv_nsec);
  }
  key->ctime_nsec &= ~I_CTIME_QUERIED;
}

/* The mark of the running program: 0 when it has none. -1: not a program of this network namespace. */
static __always_inline __s64 mark_of_caller(void) {
  struct task_struct* task = (struct task_struct*)bpf_get_current_task();
  __u32 zero = 0;
  struct cordon_scope* scope = bpf_map_lookup_elem(&cordon_scope, &zero);
  if (!scope || BPF_CORE_READ(task, nsproxy, net_ns, ns.inum) != scope->net_namespace) return -1;
  struct file* file = BPF_CORE_READ(task, mm, exe_file);
  if (!file) return -1; /* a thread of the kernel */
  struct inode* inode = BPF_CORE_READ(file, f_inode);
  struct cordon_executable key = {};
  key.inode = BPF_CORE_READ(inode, i_ino);
  key.device = BPF_CORE_READ(inode, i_sb, s_dev);
  read_ctime(&key, inode);
  __u32* mark = bpf_map_lookup_elem(&cordon_files, &key);
  return mark ? *mark : 0;
}

SEC("cgroup/sock_create")
int cordon_create(struct bpf_sock* ctx) {
  __s64 mark = mark_of_caller();
  if (mark > 0) ctx->mark = (__u32)mark;
  return 1;
}

static __always_inline int judge_connect(struct bpf_sock_addr* ctx) {
  struct bpf_sock* sk = ctx->sk;
  if (!sk) return 1;
  __u32 has = sk->mark;
  __s64 mark = mark_of_caller();
  if (mark < 0 || (__u32)mark == has) return 1;
  if (has && !bpf_map_lookup_elem(&cordon_marks, &has)) return 1; /* the agent's, or another software's */
  __u32 value = (__u32)mark;
  bpf_setsockopt(ctx, SOL_SOCKET, SO_MARK, &value, sizeof(value));
  return 1;
}

SEC("cgroup/connect4")
int cordon_connect4(struct bpf_sock_addr* ctx) {
  return judge_connect(ctx);
}

SEC("cgroup/connect6")
int cordon_connect6(struct bpf_sock_addr* ctx) {
  return judge_connect(ctx);
}
