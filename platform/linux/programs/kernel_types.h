/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef CORDON_PLATFORM_LINUX_PROGRAMS_KERNEL_TYPES_H_
#define CORDON_PLATFORM_LINUX_PROGRAMS_KERNEL_TYPES_H_

/* The kernel's structures, reduced to the fields that are read here; libbpf moves every access to where the
 * running kernel's BTF says the field is (CO-RE). */

#include "../bpf/kernel_integers.h"
#include "../bpf/maps.h"
#include "../bpf/sockets.h"

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

struct nsproxy {
  struct net* net_ns;
};

struct task_struct {
  struct mm_struct* mm;
  struct nsproxy* nsproxy;
};

#pragma clang attribute pop

#endif
