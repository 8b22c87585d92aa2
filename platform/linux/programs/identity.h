/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef CORDON_PLATFORM_LINUX_PROGRAMS_IDENTITY_H_
#define CORDON_PLATFORM_LINUX_PROGRAMS_IDENTITY_H_

/* What the kernel side and the user side of program marks share. Plain C, fixed layout. */

#ifdef __cplusplus
#include <compare>
#include <cstdint>
#define CORDON_U32 uint32_t
#define CORDON_U64 uint64_t
#define CORDON_LAYOUT static_assert
#else
#define CORDON_U32 unsigned int
#define CORDON_U64 unsigned long long
#define CORDON_LAYOUT _Static_assert
#endif

enum cordon_program_limits {
  CORDON_MAX_PROGRAMS = 4096,
  /* Rises with every change of what the maps and programs mean: an agent that finds another number replaces
   * them. */
  CORDON_PROGRAMS_VERSION = 1,
};

/* One content of one executable file. A write, a rename over it or a change of its links changes the ctime,
 * so a changed file matches nothing until the agent has looked at it again. */
struct cordon_executable {
  CORDON_U64 inode;
  CORDON_U64 ctime_sec;
  CORDON_U32 ctime_nsec;
  CORDON_U32 device; /* the kernel's own numbering: major << 20 | minor */
#ifdef __cplusplus
  friend auto operator<=>(const cordon_executable&, const cordon_executable&) = default;
#endif
};

/* Whose programs these are: the only entry of the map "cordon_scope". Agents in several network namespaces
 * share the root cgroup and are told apart by this. */
struct cordon_scope {
  CORDON_U32 version;
  CORDON_U32 net_namespace; /* inode number */
};

CORDON_LAYOUT(sizeof(struct cordon_executable) == 24, "layout");
CORDON_LAYOUT(sizeof(struct cordon_scope) == 8, "layout");

#undef CORDON_LAYOUT
#undef CORDON_U32
#undef CORDON_U64

#endif
