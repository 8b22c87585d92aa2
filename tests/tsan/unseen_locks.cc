// What ThreadSanitizer cannot see of Debian's gRPC, which is not built for it: that its locks order what is
// done on both sides of them. This library stands before libabsl_synchronization in every program of the
// preset tsan, takes the calls of absl's locks, and tells the order. All of absl's locks count as one: what
// goes from thread to thread inside of gRPC without a lock (its queues of closures) is ordered by the ones
// around it. So races are found between threads that did not both pass through gRPC in between. Symbols: absl
// 20220623 (`debian3`); with another one nothing is taken, and false reports come back.

#include <dlfcn.h>
#include <grpc/grpc.h>
#include <grpc/support/alloc.h>
#include <pthread.h>
#include <time.h>

#include <atomic>
#include <cstdint>

namespace {

std::atomic<uint64_t> order;

void Tell() {
  order.fetch_add(1, std::memory_order_acq_rel);
}

template <typename Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

// absl::Duration and absl::Time as they are passed.
struct Moment {
  int64_t seconds;
  uint32_t ticks;
};

}  // namespace

#define LOCK "_ZN4absl7debian35Mutex4LockEv"
#define UNLOCK "_ZN4absl7debian35Mutex6UnlockEv"
#define TRY_LOCK "_ZN4absl7debian35Mutex7TryLockEv"
#define WAIT "_ZN4absl7debian37CondVar4WaitEPNS0_5MutexE"
#define WAIT_TIMEOUT "_ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE"
#define WAIT_DEADLINE "_ZN4absl7debian37CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE"

extern "C" {

void TakeLock(void* mutex) asm(LOCK);
void TakeLock(void* mutex) {
  static const auto next = Next<void (*)(void*)>(LOCK);
  next(mutex);
  Tell();
}

void TakeUnlock(void* mutex) asm(UNLOCK);
void TakeUnlock(void* mutex) {
  static const auto next = Next<void (*)(void*)>(UNLOCK);
  Tell();
  next(mutex);
}

bool TakeTryLock(void* mutex) asm(TRY_LOCK);
bool TakeTryLock(void* mutex) {
  static const auto next = Next<bool (*)(void*)>(TRY_LOCK);
  const bool taken = next(mutex);
  Tell();
  return taken;
}

void TakeWait(void* condition, void* mutex) asm(WAIT);
void TakeWait(void* condition, void* mutex) {
  static const auto next = Next<void (*)(void*, void*)>(WAIT);
  Tell();
  next(condition, mutex);
  Tell();
}

bool TakeWaitTimeout(void* condition, void* mutex, Moment timeout) asm(WAIT_TIMEOUT);
bool TakeWaitTimeout(void* condition, void* mutex, Moment timeout) {
  static const auto next = Next<bool (*)(void*, void*, Moment)>(WAIT_TIMEOUT);
  Tell();
  const bool timed_out = next(condition, mutex, timeout);
  Tell();
  return timed_out;
}

bool TakeWaitDeadline(void* condition, void* mutex, Moment deadline) asm(WAIT_DEADLINE);
bool TakeWaitDeadline(void* condition, void* mutex, Moment deadline) {
  static const auto next = Next<bool (*)(void*, void*, Moment)>(WAIT_DEADLINE);
  Tell();
  const bool timed_out = next(condition, mutex, deadline);
  Tell();
  return timed_out;
}

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t count, void* tag,
                                      void* reserved) {
  static const auto next = Next<decltype(&grpc_call_start_batch)>("grpc_call_start_batch");
  Tell();
  return next(call, ops, count, tag, reserved);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline, void* reserved) {
  static const auto next = Next<decltype(&grpc_completion_queue_next)>("grpc_completion_queue_next");
  Tell();
  const grpc_event event = next(queue, deadline, reserved);
  Tell();
  return event;
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag, gpr_timespec deadline,
                                       void* reserved) {
  static const auto next = Next<decltype(&grpc_completion_queue_pluck)>("grpc_completion_queue_pluck");
  Tell();
  const grpc_event event = next(queue, tag, deadline, reserved);
  Tell();
  return event;
}

// Calls and their arenas end wherever their last part does.
void gpr_free(void* memory) {
  static const auto next = Next<decltype(&gpr_free)>("gpr_free");
  Tell();
  next(memory);
}

// std::timed_mutex's, which GCC 12's ThreadSanitizer does not know: it takes the lock for one that nobody
// took.
int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* deadline) noexcept {
  constexpr int64_t kSecond = 1'000'000'000;
  timespec now{};
  clock_gettime(clock, &now);
  const int64_t left = (deadline->tv_sec - now.tv_sec) * kSecond + deadline->tv_nsec - now.tv_nsec;
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  const int64_t nanos = wall.tv_nsec + (left > 0 ? left : 0);
  wall.tv_sec += nanos / kSecond;
  wall.tv_nsec = nanos % kSecond;
  return pthread_mutex_timedlock(mutex, &wall);
}
}
