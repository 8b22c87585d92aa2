/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef CORDON_PLATFORM_LINUX_FLOWS_FLOW_RECORD_H_
#define CORDON_PLATFORM_LINUX_FLOWS_FLOW_RECORD_H_

/* What the kernel side writes into the ring and the user side decodes. Compiled on both sides: plain C, fixed
 * layout, the machine's byte order but for addresses. */

#ifdef __cplusplus
#include <cstddef>
#include <cstdint>
#define CORDON_U8 uint8_t
#define CORDON_U16 uint16_t
#define CORDON_U32 uint32_t
#define CORDON_U64 uint64_t
#define CORDON_LAYOUT static_assert
#else
#define CORDON_U8 unsigned char
#define CORDON_U16 unsigned short
#define CORDON_U32 unsigned int
#define CORDON_U64 unsigned long long
#define CORDON_LAYOUT _Static_assert
#endif

enum cordon_flow_direction { CORDON_FLOW_OUT = 1, CORDON_FLOW_IN = 2 };
enum cordon_flow_protocol { CORDON_FLOW_TCP = 1, CORDON_FLOW_UDP = 2 };

struct cordon_flow {
  CORDON_U64 boottime;
  CORDON_U32 pid;   /* thread group id in the initial namespace */
  CORDON_U32 times; /* flows of this kind since the last record of it, with this one */
  CORDON_U32 mark;  /* of the socket */
  CORDON_U16 local_port;
  CORDON_U16 remote_port;
  CORDON_U8 direction;
  CORDON_U8 protocol;
  CORDON_U8 v6; /* 0: the first four bytes of the addresses count */
  CORDON_U8 reserved[5];
  CORDON_U8 local[16]; /* network order */
  CORDON_U8 remote[16];
};

CORDON_LAYOUT(sizeof(struct cordon_flow) == 64, "layout");
CORDON_LAYOUT(offsetof(struct cordon_flow, local) == 32, "layout");

#undef CORDON_LAYOUT
#undef CORDON_U8
#undef CORDON_U16
#undef CORDON_U32
#undef CORDON_U64

#endif
