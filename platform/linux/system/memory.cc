#include <elf.h>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string_view>

#include "platform/api/system.h"

namespace cordon::platform {
namespace {

constexpr int kArenas = 2;
constexpr int kLargeBytes = 128 * 1024;

// The program itself has no name here; what has one that is no path is the kernel's own (the vDSO).
bool IsFromAFile(const dl_phdr_info& object) {
  const std::string_view name(object.dlpi_name);
  return name.empty() || name.front() == '/';
}

// Segments that cannot be written hold what is in the file and nothing else: relocations are made in writable
// ones. So their pages can go at any moment, and come back from the page cache when they are touched.
int ForgetSegments(dl_phdr_info* object, size_t /*size*/, void* /*nothing*/) {
  if (!IsFromAFile(*object)) return 0;
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  for (size_t at = 0; at < object->dlpi_phnum; ++at) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[at];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const uintptr_t begin = (object->dlpi_addr + segment.p_vaddr) & ~(page - 1);
    const uintptr_t end = object->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);  // nothing is lost if it fails
  }
  return 0;
}

}  // namespace

// glibc's defaults are made for speed: an arena for nearly every thread, none of which gives back what a
// burst left in it; and thresholds that rise for good with the largest block ever freed (loading the BPF
// programs frees the kernel's type information, 5 MB and more, after which megabytes at the end of the heap
// stay).
void KeepMemorySmall() {
  mallopt(M_ARENA_MAX, kArenas);  // the busiest threads, a sensor and the batcher, do not meet in one
  mallopt(M_MMAP_THRESHOLD, kLargeBytes);
  mallopt(M_TRIM_THRESHOLD, kLargeBytes);
}

void ReleaseFreeMemory() {
  malloc_trim(0);
}

void ReleaseUnusedCode() {
  // The list of objects is locked meanwhile, so that none comes or goes.
  dl_iterate_phdr(ForgetSegments, nullptr);
}

}  // namespace cordon::platform
