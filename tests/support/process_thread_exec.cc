// A program for tests of process sensors: its second thread executes the program that its arguments name,
// while its first thread waits. Whoever watches must see one process that goes on under the same pid.

#include <unistd.h>

#include <thread>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  std::thread([argv] {
    execv(argv[1], argv + 1);
    _exit(3);
  }).join();
  return 3;
}
