/* The smallest program there is: for storms of processes, where the time to load libc would be what is
 * measured. Static, without libc: exits with 0. */
__attribute__((force_align_arg_pointer, noreturn)) void _start(void) {
#if defined(__x86_64__)
  __asm__ volatile("syscall" : : "a"(231L), "D"(0L) : "rcx", "r11", "memory"); /* exit_group */
#elif defined(__aarch64__)
  register long number __asm__("x8") = 94;
  register long status __asm__("x0") = 0;
  __asm__ volatile("svc 0" : : "r"(number), "r"(status) : "memory");
#else
#error "no system call known for this architecture"
#endif
  __builtin_unreachable();
}
