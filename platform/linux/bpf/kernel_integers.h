/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef CORDON_PLATFORM_LINUX_BPF_KERNEL_INTEGERS_H_
#define CORDON_PLATFORM_LINUX_BPF_KERNEL_INTEGERS_H_

/* The kernel's names of integers, which the headers of libbpf ask for; for all BPF programs here. */

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u16 __le16;
typedef __u32 __le32;
typedef __u64 __le64;
typedef __u32 __wsum;
typedef _Bool bool;
typedef unsigned long size_t;

#endif
