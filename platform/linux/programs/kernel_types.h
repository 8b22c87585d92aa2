/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef CORDON_PLATFORM_LINUX_PROGRAMS_KERNEL_TYPES_H_
#define CORDON_PLATFORM_LINUX_PROGRAMS_KERNEL_TYPES_H_

/* The kernel's structures, reduced to the fields that are read here; libbpf moves every access to where the
 * running kernel's BTF says the field is (CO-RE). */

#include "../bpf/kernel_integers.h"

enum bpf_map_type { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_ARRAY = 2 };

/* Contexts of the two kinds of hook: of the BPF ABI, so their layout is fixed. */

struct bpf_sock {
  __u32 bound_dev_if;
  __u32 family;
  __u32 type;
  __u32 protocol;
  __u32 mark;
  __u32 priority;
};

struct bpf_sock_addr {
  __u32 user_family;
  __u32 user_ip4;
  __u32 user_ip6[4];
  __u32 user_port;
  __u32 family;
  __u32 type;
  __u32 protocol;
  __u32 msg_src_ip4;
  __u32 msg_src_ip6[4];
  struct bpf_sock* sk __attribute__((aligned(8)));
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct timespec64 {
  __s64 tv_sec;
  long tv_nsec;
};

struct super_block {
  __u32 s_dev;
};

struct inode {
  struct super_block* i_sb;
  unsigned long i_ino;
  __s64 i_ctime_sec; /* since 6.11 */
  __u32 i_ctime_nsec;
};

struct inode___6_6 {
  struct timespec64 __i_ctime;
};

struct inode___before_6_6 {
  struct timespec64 i_ctime;
};

struct file {
  struct inode* f_inode;
};

struct mm_struct {
  struct file* exe_file;
};

struct ns_common {
  unsigned int inum;
};

struct net {
  struct ns_common ns;
};

struct nsproxy {
  struct net* net_ns;
};

struct task_struct {
  struct mm_struct* mm;
  struct nsproxy* nsproxy;
};

#pragma clang attribute pop

#endif
