/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef CORDON_PLATFORM_LINUX_PROCESSES_KERNEL_TYPES_H_
#define CORDON_PLATFORM_LINUX_PROCESSES_KERNEL_TYPES_H_

/* The kernel's structures, reduced to the fields that are read here. Offsets do not matter: libbpf moves
 * every access to where the running kernel's BTF says the field is (CO-RE), so the build needs no BTF and one
 * object serves all kernels from 5.10 on. */

#include "../bpf/kernel_integers.h"
#include "../bpf/maps.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
  int counter;
} atomic_t;

typedef struct {
  __u32 val;
} kuid_t;

typedef struct {
  __u32 val;
} kgid_t;

typedef struct {
  __u64 val; /* two words of 32 bits before 6.3: the same bytes on little-endian machines */
} kernel_cap_t;

struct cred {
  kuid_t uid;
  kgid_t gid;
  kuid_t euid;
  kgid_t egid;
  kernel_cap_t cap_effective;
};

struct qstr {
  const unsigned char* name;
};

struct hlist_bl_node {
  struct hlist_bl_node** pprev;
};

struct dentry {
  struct hlist_bl_node d_hash;
  struct dentry* d_parent;
  struct qstr d_name;
};

struct vfsmount {
  struct dentry* mnt_root;
};

struct mount {
  struct mount* mnt_parent;
  struct dentry* mnt_mountpoint;
  struct vfsmount mnt;
};

struct path {
  struct vfsmount* mnt;
  struct dentry* dentry;
};

struct inode {
  unsigned int i_nlink;
};

struct file {
  struct path f_path;
  struct inode* f_inode;
};

struct fs_struct {
  struct path root;
  struct path pwd;
};

struct mm_struct {
  unsigned long arg_start;
  unsigned long arg_end;
  struct file* exe_file;
};

struct kernfs_node {
  const char* name;
  struct kernfs_node* __parent; /* since 6.15 */
};

struct kernfs_node___before_6_15 {
  struct kernfs_node* parent;
};

struct cgroup {
  int level;
  struct kernfs_node* kn;
};

struct cgroup_subsys_state {
  struct cgroup* cgroup;
};

struct css_set {
  struct cgroup_subsys_state* subsys[16];
  struct cgroup* dfl_cgrp;
};

enum cgroup_subsys_id { memory_cgrp_id = 4, pids_cgrp_id = 11 };

struct signal_struct {
  atomic_t live;
  int group_exit_code;
  unsigned int flags;
  unsigned long long sum_sched_runtime;
  unsigned long maxrss;
};

struct sched_entity {
  __u64 sum_exec_runtime;
};

struct task_struct {
  unsigned int flags;
  int pid;
  int tgid;
  int exit_code;
  unsigned int in_execve : 1;
  __u64 start_boottime;
  struct task_struct* real_parent;
  struct task_struct* group_leader;
  struct mm_struct* mm;
  const struct cred* cred;
  kuid_t loginuid;
  unsigned int sessionid;
  char comm[16];
  struct fs_struct* fs;
  struct css_set* cgroups;
  struct signal_struct* signal;
  struct sched_entity se;
};

struct module {
  char name[56];
};

struct seq_file;

struct bpf_iter_meta {
  struct seq_file* seq;
};

struct bpf_iter__task {
  struct bpf_iter_meta* meta;
  struct task_struct* task;
};

#pragma clang attribute pop

/* Where a kprobe finds its arguments: of the user-visible ABI, so it does not move. */
struct pt_regs;
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
  unsigned long r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
  __u64 regs[31];
};
#endif

#endif
