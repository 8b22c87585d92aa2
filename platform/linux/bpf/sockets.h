/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef CORDON_PLATFORM_LINUX_BPF_SOCKETS_H_
#define CORDON_PLATFORM_LINUX_BPF_SOCKETS_H_

/* What programs that look at sockets share. */

#include "kernel_integers.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
  unsigned int inum;
};

struct net {
  struct ns_common ns;
};

#pragma clang attribute pop

/* The part of the contexts that is read here: of the BPF ABI, so it does not move. */
struct bpf_sock {
  __u32 bound_dev_if;
  __u32 family;
  __u32 type;
  __u32 protocol;
  __u32 mark;
  __u32 priority;
  __u32 src_ip4;
  __u32 src_ip6[4];
  __u32 src_port; /* host order */
};

struct bpf_sock_addr {
  __u32 user_family;
  __u32 user_ip4; /* network order, as the next two */
  __u32 user_ip6[4];
  __u32 user_port;
  __u32 family;
  __u32 type;
  __u32 protocol;
  __u32 msg_src_ip4;
  __u32 msg_src_ip6[4];
  union {
    struct bpf_sock* sk;
    __u64 sk_as_number; /* eight bytes on every machine */
  };
};

#endif
