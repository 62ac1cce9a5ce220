/* Shifts a process's wall clock by the seconds that a shared file says, from
 * outside and at any moment. What measures durations (CLOCK_MONOTONIC) stays,
 * so the process neither hurries nor waits. Loaded before the C library, into
 * functions that know nothing of it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *shift;

__attribute__((constructor)) static void find(void) {
  const char *path = getenv("CLOCK_SHIFT");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) _exit(70); /* a clock that is silently the wrong one proves nothing */
  void *page = mmap(NULL, sizeof *shift, PROT_READ, MAP_SHARED, file, 0);
  if (page == MAP_FAILED) _exit(70);
  close(file);
  shift = page;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int failed = syscall(SYS_clock_gettime, clock, time);
  if (!failed && clock == CLOCK_REALTIME && shift) time->tv_sec += *shift;
  return failed;
}
