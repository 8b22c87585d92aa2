#include "platform/api/system.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform {

// The low-fragmentation heap of Windows keeps itself small.
void KeepMemorySmall() {}

void ReleaseFreeMemory() {
  HeapCompact(GetProcessHeap(), 0);
}

// Empties the working set: pages that are used come back from memory.
void ReleaseUnusedCode() {
  SetProcessWorkingSetSize(GetCurrentProcess(), static_cast<SIZE_T>(-1), static_cast<SIZE_T>(-1));
}

// Windows has no such limit.
uint64_t RaiseOpenFileLimit() {
  return 0;
}

}  // namespace cordon::platform
