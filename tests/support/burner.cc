// A process that uses a known amount of memory and CPU time: burner MEBIBYTES MILLISECONDS. A third of the
// time is used by a thread that is gone when the process ends. Exits with 7.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <thread>

namespace {

constexpr int64_t kMilli = 1'000'000;

int64_t Used(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return time.tv_sec * 1'000 * kMilli + time.tv_nsec;
}

void BurnUntil(clockid_t clock, int64_t nanos) {
  while (Used(clock) < nanos) {
  }
}

bool Touch(size_t bytes) {
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  for (size_t at = 0; at < bytes; at += page) static_cast<volatile char*>(memory)[at] = 1;
  return munmap(memory, bytes) == 0;  // its peak is remembered
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const size_t bytes = std::strtoul(argv[1], nullptr, 10) << 20U;
  const int64_t nanos = std::strtol(argv[2], nullptr, 10) * kMilli;
  if (!Touch(bytes)) return 1;
  std::thread([nanos] { BurnUntil(CLOCK_THREAD_CPUTIME_ID, nanos / 3); }).join();
  BurnUntil(CLOCK_PROCESS_CPUTIME_ID, nanos);
  return 7;
}
