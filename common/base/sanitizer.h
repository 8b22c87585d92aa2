#pragma once

// CORDON_ADDRESS_SANITIZER or CORDON_THREAD_SANITIZER is defined when a sanitizer is compiled in: it takes
// address space that a limit would refuse, and keeps memory that was freed. GCC says so by macros, clang by
// features.

#if defined(__SANITIZE_ADDRESS__)
#define CORDON_ADDRESS_SANITIZER 1
#elif defined(__SANITIZE_THREAD__)
#define CORDON_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CORDON_ADDRESS_SANITIZER 1
#elif __has_feature(thread_sanitizer)
#define CORDON_THREAD_SANITIZER 1
#endif
#endif
