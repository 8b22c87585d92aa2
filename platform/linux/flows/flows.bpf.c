/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */

/* Flows of one network namespace as they begin. Each kind (program, direction, protocol, peer, accepting
 * port) leaves the kernel at most once a minute, so that a busy server costs a map lookup per connection and
 * no more. A record that does not fit into the ring is counted, never forgotten. */

// clang-format off: the helpers need the kernel types before them
#include "net_types.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#undef offsetof /* libbpf's is no constant expression */
#define offsetof(type, member) __builtin_offsetof(type, member)
#include "flow_record.h"
// clang-format on

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_SYN_RECV 3
#define TCP_LISTEN 10
#define ONE_MINUTE 60000000000ULL
#define LOOPBACK_NET 127

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set before loading. */
const volatile __u32 own_netns = 0;
const volatile __u64 own_netns_cookie = 0;
const volatile __u64 wake_at_bytes = 0;

/* Counted here, read by the user side. */
__u64 attempted = 0;
__u64 lost = 0;

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 18);
} ring SEC(".maps");

/* Who called connect(): the connection stands later, when the answer comes and some other program runs. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 2048);
  __type(key, __u64); /* the socket */
  __type(value, __u32);
} connecting SEC(".maps");

/* Who called listen() on a TCP port; the user side adds those that listened before. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1024);
  __type(key, __u16);
  __type(value, __u32);
} listening SEC(".maps");

/* Who of two UDP peers spoke first. The socket, by its cookie, stands for the local port too, which is not
 * chosen yet when a program connects it. */
struct exchange {
  __u64 socket;
  __u16 remote_port;
  __u16 reserved[3];
  __u8 remote[16];
};
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, struct exchange);
  __type(value, __u8); /* cordon_flow_direction */
} exchanges SEC(".maps");

struct kind {
  __u32 pid;
  __u16 port;
  __u8 direction;
  __u8 protocol;
  __u8 remote[16];
};
struct told {
  __u64 at;
  __u32 times_since;
  __u32 reserved;
};
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, struct kind);
  __type(value, struct told);
} told_kinds SEC(".maps");

static __always_inline bool is_ours(const struct sock* sk) {
  return sk->__sk_common.skc_net.net->ns.inum == own_netns;
}

static __always_inline bool is_mapped(const __u8* address) {
  const __u64* high = (const __u64*)address;
  const __u32* word = (const __u32*)address;
  return high[0] == 0 && word[2] == bpf_htonl(0xffff);
}

/* An IPv4 address that is written as IPv6 becomes IPv4. */
static __always_inline void set_v6(struct cordon_flow* flow, __u8* field, const __u8* from) {
  if (is_mapped(from)) {
    __builtin_memset(field, 0, 16);
    __builtin_memcpy(field, from + 12, 4);
    flow->v6 = 0;
  } else {
    __builtin_memcpy(field, from, 16);
    flow->v6 = 1;
  }
}

static __always_inline bool is_loopback(const struct cordon_flow* flow) {
  if (!flow->v6) return flow->remote[0] == LOOPBACK_NET;
  const __u64* words = (const __u64*)flow->remote;
  return words[0] == 0 && words[1] == bpf_cpu_to_be64(1);
}

/* Both endpoints of a connected socket. */
static __always_inline void fill_from_socket(struct cordon_flow* flow, const struct sock* sk) {
  flow->mark = sk->sk_mark;
  flow->local_port = sk->__sk_common.skc_num;
  flow->remote_port = bpf_ntohs(sk->__sk_common.skc_dport);
  if (sk->__sk_common.skc_family == AF_INET6 && bpf_core_field_exists(sk->__sk_common.skc_v6_daddr)) {
    __u64 address[2]; /* aligned for is_mapped */
    bpf_core_read(address, sizeof(address), &sk->__sk_common.skc_v6_rcv_saddr);
    set_v6(flow, flow->local, (const __u8*)address);
    bpf_core_read(address, sizeof(address), &sk->__sk_common.skc_v6_daddr);
    set_v6(flow, flow->remote, (const __u8*)address);
    return;
  }
  __be32 address = sk->__sk_common.skc_rcv_saddr;
  __builtin_memcpy(flow->local, &address, 4);
  address = sk->__sk_common.skc_daddr;
  __builtin_memcpy(flow->remote, &address, 4);
}

static __always_inline void tell(struct cordon_flow* flow) {
  struct kind key = {};
  __u64 now = bpf_ktime_get_boot_ns();
  key.pid = flow->pid;
  key.direction = flow->direction;
  key.protocol = flow->protocol;
  key.port = flow->direction == CORDON_FLOW_IN ? flow->local_port : flow->remote_port;
  __builtin_memcpy(key.remote, flow->remote, 16);
  flow->times = 1;
  struct told* before = bpf_map_lookup_elem(&told_kinds, &key);
  if (before) {
    if (now - before->at < ONE_MINUTE) {
      __sync_fetch_and_add(&before->times_since, 1);
      return;
    }
    flow->times += before->times_since;
  }
  struct told after = {.at = now, .times_since = 0, .reserved = 0};
  bpf_map_update_elem(&told_kinds, &key, &after, BPF_ANY);
  flow->boottime = now;
  __sync_fetch_and_add(&attempted, 1);
  __u64 wake =
      bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= wake_at_bytes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
  if (bpf_ringbuf_output(&ring, flow, sizeof(*flow), wake) != 0) __sync_fetch_and_add(&lost, 1);
}

static __always_inline void tell_tcp(const struct sock* sk, __u8 direction, const __u32* pid) {
  struct cordon_flow flow = {};
  flow.pid = pid ? *pid : 0;
  flow.direction = direction;
  flow.protocol = CORDON_FLOW_TCP;
  fill_from_socket(&flow, sk);
  if (!is_loopback(&flow)) tell(&flow);
}

/* Runs in the caller of connect() and listen(); when a connection stands, wherever the packet is taken in. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_tcp_state, const struct sock* sk, int old_state, int new_state) {
  if (new_state != TCP_ESTABLISHED && new_state != TCP_SYN_SENT && new_state != TCP_LISTEN &&
      old_state != TCP_SYN_SENT)
    return 0;
  if (sk->sk_protocol != IPPROTO_TCP || !is_ours(sk)) return 0;
  __u64 socket = (__u64)sk;
  __u32 pid = bpf_get_current_pid_tgid() >> 32;
  if (new_state == TCP_SYN_SENT) {
    bpf_map_update_elem(&connecting, &socket, &pid, BPF_ANY);
  } else if (new_state == TCP_LISTEN) {
    __u16 port = sk->__sk_common.skc_num;
    bpf_map_update_elem(&listening, &port, &pid, BPF_ANY);
  } else if (old_state == TCP_SYN_SENT) {
    __u32* caller = bpf_map_lookup_elem(&connecting, &socket);
    if (new_state == TCP_ESTABLISHED) tell_tcp(sk, CORDON_FLOW_OUT, caller);
    bpf_map_delete_elem(&connecting, &socket);
  } else if (old_state == TCP_SYN_RECV) {
    __u16 port = sk->__sk_common.skc_num;
    tell_tcp(sk, CORDON_FLOW_IN, bpf_map_lookup_elem(&listening, &port));
  }
  return 0;
}

/* Whoever speaks first opens the exchange; what the other side says belongs to it. */
static __always_inline void take_datagram(struct cordon_flow* flow, __u64 socket, __u8 direction) {
  if (flow->remote_port == 0 || is_loopback(flow)) return;
  struct exchange key = {};
  key.socket = socket;
  key.remote_port = flow->remote_port;
  __builtin_memcpy(key.remote, flow->remote, 16);
  __u8* opened = bpf_map_lookup_elem(&exchanges, &key);
  if (opened && *opened != direction) return;
  if (!opened) bpf_map_update_elem(&exchanges, &key, &direction, BPF_ANY);
  flow->pid = bpf_get_current_pid_tgid() >> 32;
  flow->direction = direction;
  flow->protocol = CORDON_FLOW_UDP;
  tell(flow);
}

/* A connected UDP socket has sent something. Since Linux 6.3. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(on_send, const struct sock* sk, int sent) {
  if (sk->sk_protocol != IPPROTO_UDP || sent < 0 || sk->__sk_common.skc_state != TCP_ESTABLISHED) return 0;
  __u16 family = sk->__sk_common.skc_family;
  if ((family != AF_INET && family != AF_INET6) || !is_ours(sk)) return 0;
  struct cordon_flow flow = {};
  fill_from_socket(&flow, sk);
  take_datagram(&flow, bpf_get_socket_cookie((void*)sk), CORDON_FLOW_OUT);
  return 0;
}

/* The programs below run in the process that calls; they look on and never say no. */
static __always_inline int take_address(struct bpf_sock_addr* context, bool v6, __u8 direction) {
  if (context->protocol != IPPROTO_UDP || bpf_get_netns_cookie(context) != own_netns_cookie) return 1;
  struct cordon_flow flow = {};
  struct bpf_sock* sk = context->sk;
  if (!sk) return 1;
  flow.mark = sk->mark;
  flow.local_port = sk->src_port;
  flow.remote_port = bpf_ntohs(context->user_port);
  if (v6) {
    __u32 address[4] __attribute__((aligned(8))) = {context->user_ip6[0], context->user_ip6[1],
                                                    context->user_ip6[2], context->user_ip6[3]};
    set_v6(&flow, flow.remote, (const __u8*)address);
  } else {
    __u32 address = context->user_ip4;
    __builtin_memcpy(flow.remote, &address, 4);
  }
  take_datagram(&flow, bpf_get_socket_cookie(context), direction);
  return 1;
}

/* A datagram to a peer that the call names. */
SEC("cgroup/sendmsg4")
int on_udp4_send(struct bpf_sock_addr* context) {
  return take_address(context, 0, CORDON_FLOW_OUT);
}
SEC("cgroup/sendmsg6")
int on_udp6_send(struct bpf_sock_addr* context) {
  return take_address(context, 1, CORDON_FLOW_OUT);
}

/* A datagram was read by a program that asks who sent it. */
SEC("cgroup/recvmsg4")
int on_udp4_read(struct bpf_sock_addr* context) {
  return take_address(context, 0, CORDON_FLOW_IN);
}
SEC("cgroup/recvmsg6")
int on_udp6_read(struct bpf_sock_addr* context) {
  return take_address(context, 1, CORDON_FLOW_IN);
}

/* For kernels without sock_send_length: a UDP socket gets a peer, and will most likely speak to it. */
SEC("cgroup/connect4")
int on_udp4_connect(struct bpf_sock_addr* context) {
  return take_address(context, 0, CORDON_FLOW_OUT);
}
SEC("cgroup/connect6")
int on_udp6_connect(struct bpf_sock_addr* context) {
  return take_address(context, 1, CORDON_FLOW_OUT);
}
