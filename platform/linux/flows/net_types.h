/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef CORDON_PLATFORM_LINUX_FLOWS_NET_TYPES_H_
#define CORDON_PLATFORM_LINUX_FLOWS_NET_TYPES_H_

/* The kernel's structures, reduced to the fields that are read here; libbpf finds their places in the running
 * kernel (CO-RE), as in ../processes/kernel_types.h. */

#include "../bpf/maps.h"
#include "../bpf/sockets.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

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

#endif
