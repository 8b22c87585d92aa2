/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef CORDON_PLATFORM_LINUX_FLOWS_NET_TYPES_H_
#define CORDON_PLATFORM_LINUX_FLOWS_NET_TYPES_H_

/* The kernel's structures, reduced to the fields that are read here; libbpf finds their places in the running
 * kernel (CO-RE), as in ../processes/kernel_types.h. */

#include "../bpf/kernel_integers.h"

enum bpf_map_type { BPF_MAP_TYPE_LRU_HASH = 9, BPF_MAP_TYPE_RINGBUF = 27 };
enum { BPF_ANY = 0 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_RB_AVAIL_DATA = 0 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
  unsigned int inum;
};

struct net {
  struct ns_common ns;
};

typedef struct {
  struct net* net;
} possible_net_t;

struct in6_addr {
  __u8 bytes[16];
};

struct sock_common {
  __be32 skc_daddr;
  __be32 skc_rcv_saddr;
  __be16 skc_dport;
  __u16 skc_num;
  unsigned short skc_family;
  volatile unsigned char skc_state;
  possible_net_t skc_net;
  struct in6_addr skc_v6_daddr;
  struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
  struct sock_common __sk_common;
  __u16 sk_protocol;
  __u32 sk_mark;
};

#pragma clang attribute pop

/* The part of the user-visible contexts that is read here; these do not move. */
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
