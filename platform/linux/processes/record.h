/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef CORDON_PLATFORM_LINUX_PROCESSES_RECORD_H_
#define CORDON_PLATFORM_LINUX_PROCESSES_RECORD_H_

/* What the kernel side writes into the ring and the user side decodes. Compiled on both sides: plain C, fixed
 * layout, the machine's byte order. Every record begins with cordon_head; `size` is its whole length. */

#ifdef __cplusplus
#include <cstddef>
#include <cstdint>
#define CORDON_U32 uint32_t
#define CORDON_U64 uint64_t
#define CORDON_LAYOUT static_assert
#else
#define CORDON_U32 unsigned int
#define CORDON_U64 unsigned long long
#define CORDON_LAYOUT _Static_assert
#endif

enum cordon_limits {
  CORDON_ARGV_KEPT = 8192, /* bytes of the argument area; its true length is reported */
  CORDON_NAME_KEPT = 256,  /* one path component, with its NUL */
  CORDON_PATH_KEPT = 4096, /* all components of one path */
  CORDON_PATH_COMPONENTS = 64,
  CORDON_TEXT_KEPT = CORDON_ARGV_KEPT + 3 * CORDON_PATH_KEPT,
  CORDON_MODULE_NAME_KEPT = 64, /* more than the kernel takes, with its NUL */
};

enum cordon_kind {
  CORDON_FORK = 1,
  CORDON_EXEC = 2,
  CORDON_EXIT = 3,
  CORDON_PRIVILEGE = 4,
  CORDON_TRACE = 5,
  CORDON_MODULE = 6,
  CORDON_KINDS = 8, /* a power of two, for the verifier */
};

enum cordon_flags {
  CORDON_FROM_SNAPSHOT = 1,   /* found running; argv is not in the record */
  CORDON_ARGV_UNREADABLE = 2, /* the argument area was not in memory */
  CORDON_EXECUTABLE_CUT = 4,  /* the walk ended before the root: the path is relative to where it ended */
  CORDON_CWD_CUT = 8,
  CORDON_KERNEL_THREAD = 16,
  CORDON_FROM_MEMORY = 32, /* the program's file has no name on any disk */
};

struct cordon_key {
  CORDON_U32 pid; /* thread group id in the initial namespace */
  CORDON_U32 reserved;
  CORDON_U64 start_boottime; /* nanoseconds, of the group leader */
};

struct cordon_head {
  CORDON_U32 kind;
  CORDON_U32 size;
  CORDON_U64 boottime;
  struct cordon_key process;
  struct cordon_key parent;
};

struct cordon_fork {
  struct cordon_head head;
};

struct cordon_exec {
  struct cordon_head head;
  CORDON_U32 uid; /* real ids */
  CORDON_U32 gid;
  CORDON_U32 login_uid;
  CORDON_U32 session_id;
  CORDON_U32 flags;
  CORDON_U32 argv_total;
  CORDON_U32 argv_size;
  CORDON_U32 executable_size;
  CORDON_U32 cwd_size;
  CORDON_U32 cgroup_size;
  char comm[16];
  /* argv_size bytes as they lie in memory; then executable, cwd and cgroup, each as NUL-ended names, the last
   * component first, because that is the order in which a dentry leads to its root. */
  char text[CORDON_TEXT_KEPT];
};

struct cordon_exit {
  struct cordon_head head;
  CORDON_U32 status; /* as wait() gives it */
  CORDON_U32 reserved;
  CORDON_U64 cpu_nanos;
  CORDON_U64 peak_pages;
};

/* Effective ids and capabilities before and after a change that was no exec. */
struct cordon_privilege {
  struct cordon_head head;
  CORDON_U32 uid_before;
  CORDON_U32 uid_after;
  CORDON_U32 gid_before;
  CORDON_U32 gid_after;
  CORDON_U64 capabilities_before; /* one bit each */
  CORDON_U64 capabilities_after;
};

/* head.process has taken hold of `target`. */
struct cordon_trace {
  struct cordon_head head;
  struct cordon_key target;
};

struct cordon_module {
  struct cordon_head head; /* of the process that loads it */
  char name[CORDON_MODULE_NAME_KEPT];
};

/* Records that did not fit into the ring, by kind; lives in the program's data, mapped by the user side,
 * which sets first_boottime to 0 when it has read it. */
struct cordon_loss {
  CORDON_U64 attempted; /* records made, with the lost ones */
  CORDON_U64 lost;
  CORDON_U64 first_boottime;
  CORDON_U64 last_boottime;
};

CORDON_LAYOUT(sizeof(struct cordon_key) == 16, "layout");
CORDON_LAYOUT(sizeof(struct cordon_head) == 48, "layout");
CORDON_LAYOUT(sizeof(struct cordon_fork) == 48, "layout");
CORDON_LAYOUT(offsetof(struct cordon_exec, uid) == 48, "layout");
CORDON_LAYOUT(offsetof(struct cordon_exec, comm) == 88, "layout");
CORDON_LAYOUT(offsetof(struct cordon_exec, text) == 104, "layout");
CORDON_LAYOUT(sizeof(struct cordon_exec) == 104 + CORDON_TEXT_KEPT, "layout");
CORDON_LAYOUT(sizeof(struct cordon_exec) <= 32768, "a per-CPU map value");
CORDON_LAYOUT(sizeof(struct cordon_exit) == 72, "layout");
CORDON_LAYOUT(sizeof(struct cordon_privilege) == 80, "layout");
CORDON_LAYOUT(offsetof(struct cordon_privilege, capabilities_before) == 64, "layout");
CORDON_LAYOUT(sizeof(struct cordon_trace) == 64, "layout");
CORDON_LAYOUT(sizeof(struct cordon_module) == 112, "layout");
CORDON_LAYOUT(sizeof(struct cordon_loss) == 32, "layout");

#undef CORDON_LAYOUT
#undef CORDON_U32
#undef CORDON_U64

#endif
