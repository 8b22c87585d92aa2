/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */

/* Process starts and ends as the kernel sees them: one record per fork of a process, exec and exit; and what
 * else a process does that says something of it: other privileges, a hold on another process, a kernel
 * module. BTF tracepoints need neither tracefs nor bpffs. The kprobes and the tracepoint of modules are
 * optional: the user side loads and attaches them where the kernel has them. TEL-1: a record that does not
 * fit into the ring is counted, never forgotten. */

// clang-format off: the helpers need the kernel types before them
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#undef offsetof /* libbpf's is no constant expression */
#define offsetof(type, member) __builtin_offsetof(type, member)
#include "record.h"
// clang-format on

/* Keeps the compiler from moving a bounds check to a copy of the variable, where the verifier loses it. */
#define SEEN_BY_VERIFIER(variable) asm volatile("" : "+r"(variable))

#define PF_KTHREAD 0x00200000
#define SIGNAL_GROUP_EXIT 0x00000004
#define NO_LOGIN 0xffffffff

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set before loading. */
const volatile __u64 wake_at_bytes = 0;

struct cordon_loss loss[CORDON_KINDS] = {};

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 20); /* resized before loading */
} ring SEC(".maps");

/* Exec records are built here. Tracepoint programs run with preemption off, so one per CPU is enough for
 * them; the snapshot's iterator can be preempted by one and has its own. */
enum { SCRATCH_LIVE = 0, SCRATCH_SNAPSHOT = 1 };
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, struct cordon_exec);
} scratch SEC(".maps");

/* The reader wakes by itself several times a second; it is woken only when the ring fills faster than that.
 */
static __always_inline __u64 wake_flag(void) {
  return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= wake_at_bytes ? BPF_RB_FORCE_WAKEUP
                                                                      : BPF_RB_NO_WAKEUP;
}

static __always_inline void submit(void* record, __u64 size, __u32 kind, __u64 now) {
  struct cordon_loss* own = &loss[kind & (CORDON_KINDS - 1)];
  __sync_fetch_and_add(&own->attempted, 1);
  if (bpf_ringbuf_output(&ring, record, size, wake_flag()) == 0) return;
  if (own->first_boottime == 0) own->first_boottime = now;
  own->last_boottime = now;
  __sync_fetch_and_add(&own->lost, 1);
}

static __always_inline void fill_key(struct cordon_key* key, struct task_struct* task) {
  struct task_struct* leader = BPF_CORE_READ(task, group_leader);
  key->pid = BPF_CORE_READ(leader, tgid);
  key->reserved = 0;
  key->start_boottime = BPF_CORE_READ(leader, start_boottime);
}

static __always_inline void fill_head(struct cordon_head* head, __u32 kind, __u32 size,
                                      struct task_struct* task) {
  head->kind = kind;
  head->size = size;
  head->boottime = bpf_ktime_get_boot_ns();
  fill_key(&head->process, task);
  fill_key(&head->parent, BPF_CORE_READ(task, real_parent));
}

/* Appends one name at text[at]; returns the new end, or `at` when there is no room. */
static __always_inline __u32 append_name(struct cordon_exec* record, __u32 at, const void* name) {
  __u64 offset = at;
  SEEN_BY_VERIFIER(offset);
  if (offset > CORDON_TEXT_KEPT - CORDON_NAME_KEPT) return at;
  long size = bpf_probe_read_kernel_str(&record->text[offset], CORDON_NAME_KEPT, name);
  return size > 0 ? at + (__u32)size : at;
}

/* Appends the names from a dentry up to the root of the process. A global function is verified once, by
 * itself; that is why its pointers travel as numbers. Returns the new end of the text, with the top bit set
 * when the walk was cut. */
#define WALK_CUT 0x80000000u
__noinline __u32 append_path(__u32 which, __u32 at, __u64 dentry_address, __u64 mnt_address,
                             __u64 fs_address) {
  struct cordon_exec* record = bpf_map_lookup_elem(&scratch, &which);
  if (!record) return at;
  struct dentry* dentry = (struct dentry*)dentry_address;
  struct vfsmount* mnt = (struct vfsmount*)mnt_address;
  struct fs_struct* fs = (struct fs_struct*)fs_address;
  struct dentry* root = BPF_CORE_READ(fs, root.dentry);
  struct vfsmount* root_mnt = BPF_CORE_READ(fs, root.mnt);
  __u32 begin = at;
  for (int i = 0; i < CORDON_PATH_COMPONENTS; ++i) {
    if (dentry == root && mnt == root_mnt) return at;
    struct dentry* parent = BPF_CORE_READ(dentry, d_parent);
    if (dentry == BPF_CORE_READ(mnt, mnt_root)) {
      struct mount* self = (struct mount*)((char*)mnt - bpf_core_field_offset(struct mount, mnt));
      struct mount* up = BPF_CORE_READ(self, mnt_parent);
      if (up == self) return at; /* the top of all mounts: outside of a chroot, or the root itself */
      dentry = BPF_CORE_READ(self, mnt_mountpoint);
      mnt = (struct vfsmount*)((char*)up + bpf_core_field_offset(struct mount, mnt));
      continue;
    }
    if (at - begin > CORDON_PATH_KEPT - CORDON_NAME_KEPT) break;
    at = append_name(record, at, BPF_CORE_READ(dentry, d_name.name));
    if (dentry == parent) return at; /* no tree: memfd and its like */
    dentry = parent;
  }
  return at | WALK_CUT;
}

static __always_inline struct kernfs_node* parent_of(struct kernfs_node* node) {
  if (bpf_core_field_exists(node->__parent)) return BPF_CORE_READ(node, __parent);
  return BPF_CORE_READ((struct kernfs_node___before_6_15*)node, parent);
}

/* The names of the cgroup: of the unified hierarchy, or on hosts that keep processes in version 1 alone, of
 * the memory or pids controller. */
__noinline __u32 append_cgroup(__u32 which, __u32 at, __u64 set_address) {
  struct cordon_exec* record = bpf_map_lookup_elem(&scratch, &which);
  if (!record) return at;
  struct css_set* set = (struct css_set*)set_address;
  struct cgroup* group = BPF_CORE_READ(set, dfl_cgrp);
  if (BPF_CORE_READ(group, level) == 0 && bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id)) {
    struct cgroup_subsys_state* css = 0;
    bpf_core_read(&css, sizeof(css),
                  &set->subsys[bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id)]);
    group = BPF_CORE_READ(css, cgroup);
  }
  if (BPF_CORE_READ(group, level) == 0 && bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id)) {
    struct cgroup_subsys_state* css = 0;
    bpf_core_read(&css, sizeof(css), &set->subsys[bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id)]);
    group = BPF_CORE_READ(css, cgroup);
  }
  struct kernfs_node* node = BPF_CORE_READ(group, kn);
  __u32 begin = at;
  for (int i = 0; i < CORDON_PATH_COMPONENTS; ++i) {
    struct kernfs_node* parent = parent_of(node);
    if (!parent || at - begin > CORDON_PATH_KEPT - CORDON_NAME_KEPT) break;
    at = append_name(record, at, BPF_CORE_READ(node, name));
    node = parent;
  }
  return at;
}

static __always_inline void fill_identity(struct cordon_exec* record, struct task_struct* task) {
  record->uid = BPF_CORE_READ(task, cred, uid.val);
  record->gid = BPF_CORE_READ(task, cred, gid.val);
  record->login_uid = NO_LOGIN;
  record->session_id = 0;
  if (bpf_core_field_exists(task->loginuid)) {
    record->login_uid = BPF_CORE_READ(task, loginuid.val);
    record->session_id = BPF_CORE_READ(task, sessionid);
  }
  BPF_CORE_READ_INTO(&record->comm, task, comm);
}

/* A file without a name on any disk: made in memory, or deleted. Some network file systems do not count
 * names, so the cache of names has to agree. */
static __always_inline bool has_no_name(struct file* file) {
  return BPF_CORE_READ(file, f_inode, i_nlink) == 0 && !BPF_CORE_READ(file, f_path.dentry, d_hash.pprev);
}

/* Fills what both the exec tracepoint and the snapshot know; `at` is where the text goes on. Returns the
 * record's size. */
static __always_inline __u64 finish_exec(struct cordon_exec* record, __u32 which, __u32 at,
                                         struct task_struct* task) {
  struct mm_struct* mm = BPF_CORE_READ(task, mm);
  struct file* file = BPF_CORE_READ(mm, exe_file);
  struct fs_struct* fs = BPF_CORE_READ(task, fs);
  record->executable_size = 0;
  record->cwd_size = 0;
  if (file) {
    __u32 end = append_path(which, at, (__u64)BPF_CORE_READ(file, f_path.dentry),
                            (__u64)BPF_CORE_READ(file, f_path.mnt), (__u64)fs);
    if (end & WALK_CUT) record->flags |= CORDON_EXECUTABLE_CUT;
    if (has_no_name(file)) record->flags |= CORDON_FROM_MEMORY;
    end &= ~WALK_CUT;
    record->executable_size = end - at;
    at = end;
    end = append_path(which, at, (__u64)BPF_CORE_READ(fs, pwd.dentry), (__u64)BPF_CORE_READ(fs, pwd.mnt),
                      (__u64)fs);
    if (end & WALK_CUT) record->flags |= CORDON_CWD_CUT;
    end &= ~WALK_CUT;
    record->cwd_size = end - at;
    at = end;
  }
  __u64 end = append_cgroup(which, at, (__u64)BPF_CORE_READ(task, cgroups));
  record->cgroup_size = end - at;
  SEEN_BY_VERIFIER(end);
  if (end > CORDON_TEXT_KEPT) end = CORDON_TEXT_KEPT; /* never; the verifier cannot know */
  __u64 size = offsetof(struct cordon_exec, text) + end;
  fill_head(&record->head, CORDON_EXEC, size, task);
  return size;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct* parent, struct task_struct* child) {
  if (child->pid != child->tgid) return 0; /* a thread */
  struct cordon_fork record;
  fill_head(&record.head, CORDON_FORK, sizeof(record), child);
  /* Who made it. The kernel calls another one its parent when it was made with CLONE_PARENT. */
  fill_key(&record.head.parent, parent);
  submit(&record, sizeof(record), CORDON_FORK, record.head.boottime);
  return 0;
}

/* Whichever thread called exec, it is the group's leader by now and the others are gone. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct* task) {
  __u32 which = SCRATCH_LIVE;
  struct cordon_exec* record = bpf_map_lookup_elem(&scratch, &which);
  if (!record) return 0; /* never: an array has its entries */
  record->flags = 0;
  fill_identity(record, task);

  unsigned long begin = BPF_CORE_READ(task, mm, arg_start);
  unsigned long end = BPF_CORE_READ(task, mm, arg_end);
  __u64 total = end > begin ? end - begin : 0;
  __u64 kept = total;
  SEEN_BY_VERIFIER(kept);
  if (kept > CORDON_ARGV_KEPT) kept = CORDON_ARGV_KEPT;
  if (bpf_probe_read_user(record->text, kept, (void*)begin) != 0) {
    kept = 0;
    record->flags |= CORDON_ARGV_UNREADABLE;
  }
  record->argv_total = total;
  record->argv_size = kept;

  __u64 size = finish_exec(record, which, kept, task);
  SEEN_BY_VERIFIER(size);
  if (size > sizeof(*record)) return 0; /* never; the verifier cannot know */
  submit(record, size, CORDON_EXEC, record->head.boottime);
  return 0;
}

/* Called for each thread; the process ends with its last one. Two threads that end at the same moment can
 * both see themselves as last; the user side drops the repeat. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct* task) {
  struct signal_struct* signal = BPF_CORE_READ(task, signal);
  if (BPF_CORE_READ(signal, live.counter) > 0) return 0;
  struct task_struct* leader = BPF_CORE_READ(task, group_leader);
  struct cordon_exit record;
  fill_head(&record.head, CORDON_EXIT, sizeof(record), task);
  record.status = BPF_CORE_READ(signal, flags) & SIGNAL_GROUP_EXIT ? BPF_CORE_READ(signal, group_exit_code)
                                                                   : BPF_CORE_READ(leader, exit_code);
  record.reserved = 0;
  /* Threads that were reaped, this one, and a leader that ended before it. */
  record.cpu_nanos = BPF_CORE_READ(signal, sum_sched_runtime) + BPF_CORE_READ(task, se.sum_exec_runtime);
  if (leader != task) record.cpu_nanos += BPF_CORE_READ(leader, se.sum_exec_runtime);
  record.peak_pages = BPF_CORE_READ(signal, maxrss);
  submit(&record, sizeof(record), CORDON_EXIT, record.head.boottime);
  return 0;
}

/* The new credentials are in the old ones' place already when the exec record is made: what an exec gives is
 * told there. While an exec of a kernel without the bit is under way, the new memory has no arguments yet. */
static __always_inline bool is_in_exec(struct task_struct* task) {
  if (bpf_core_field_exists(task->in_execve)) return BPF_CORE_READ_BITFIELD_PROBED(task, in_execve);
  return BPF_CORE_READ(task, mm, arg_start) == 0;
}

/* Every way to other credentials ends in this function of the kernel, once nothing can refuse it any more. */
SEC("kprobe/commit_creds")
int BPF_KPROBE(on_commit_creds, struct cred* after) {
  struct task_struct* task = (struct task_struct*)bpf_get_current_task();
  if (BPF_CORE_READ(task, flags) & PF_KTHREAD || is_in_exec(task)) return 0;
  const struct cred* before = BPF_CORE_READ(task, cred);
  struct cordon_privilege record;
  record.uid_before = BPF_CORE_READ(before, euid.val);
  record.uid_after = BPF_CORE_READ(after, euid.val);
  record.gid_before = BPF_CORE_READ(before, egid.val);
  record.gid_after = BPF_CORE_READ(after, egid.val);
  record.capabilities_before = BPF_CORE_READ(before, cap_effective.val);
  record.capabilities_after = BPF_CORE_READ(after, cap_effective.val);
  if (record.uid_before == record.uid_after && record.gid_before == record.gid_after &&
      record.capabilities_before == record.capabilities_after)
    return 0;
  fill_head(&record.head, CORDON_PRIVILEGE, sizeof(record), task);
  submit(&record, sizeof(record), CORDON_PRIVILEGE, record.head.boottime);
  return 0;
}

/* Called when a tracer has been allowed. Only attach and seize come from the tracer itself: a program that
 * asks to be traced and the child of a traced one come with somebody else as the new parent. */
SEC("kprobe/__ptrace_link")
int BPF_KPROBE(on_ptrace_link, struct task_struct* target, struct task_struct* tracer) {
  if (tracer != (struct task_struct*)bpf_get_current_task()) return 0;
  struct cordon_trace record;
  fill_key(&record.target, target);
  fill_head(&record.head, CORDON_TRACE, sizeof(record), tracer);
  submit(&record, sizeof(record), CORDON_TRACE, record.head.boottime);
  return 0;
}

SEC("tp_btf/module_load")
int BPF_PROG(on_module_load, struct module* module) {
  struct cordon_module record = {};
  bpf_core_read_str(record.name, sizeof(record.name), &module->name);
  fill_head(&record.head, CORDON_MODULE, sizeof(record), (struct task_struct*)bpf_get_current_task());
  submit(&record, sizeof(record), CORDON_MODULE, record.head.boottime);
  return 0;
}

/* What runs already, with the exact start times that /proc rounds. The user side adds argv. */
SEC("iter/task")
int snapshot(struct bpf_iter__task* ctx) {
  struct task_struct* task = ctx->task;
  if (!task || task->pid != task->tgid) return 0;
  if (BPF_CORE_READ(task, signal, live.counter) == 0) return 0; /* a zombie */
  __u32 which = SCRATCH_SNAPSHOT;
  struct cordon_exec* record = bpf_map_lookup_elem(&scratch, &which);
  if (!record) return 0;
  record->flags = CORDON_FROM_SNAPSHOT;
  if (task->flags & PF_KTHREAD) record->flags |= CORDON_KERNEL_THREAD;
  fill_identity(record, task);
  record->argv_total = 0;
  record->argv_size = 0;
  __u64 size = finish_exec(record, which, 0, task);
  SEEN_BY_VERIFIER(size);
  if (size > sizeof(*record)) return 0;
  bpf_seq_write(ctx->meta->seq, record, size);
  return 0;
}
