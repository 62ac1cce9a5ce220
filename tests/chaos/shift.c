/* Shifts a process's clocks by the offsets in a shared file, which the test changes at any moment. The file has two
 * 64-bit numbers of seconds: the offset of the wall clock, and that of the monotonic clock. A sleeping process wakes
 * often enough to see a change. The library is preloaded into the functions, which do not know about it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The longest sleep that has a timeout, in milliseconds. */
enum { MAX_SLEEP_MS = 10 };

static volatile const int64_t *offsets;

__attribute__((constructor)) static void map_offsets(void) {
  const char *path = getenv("CLOCK_SHIFT");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) _exit(70); /* without the offsets, a test would prove nothing */
  void *page = mmap(NULL, 2 * sizeof *offsets, PROT_READ, MAP_SHARED, file, 0);
  if (page == MAP_FAILED) _exit(70);
  close(file);
  offsets = page;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int failed = syscall(SYS_clock_gettime, clock, time);
  if (failed || !offsets) return failed;
  if (clock == CLOCK_REALTIME) time->tv_sec += offsets[0];
  if (clock == CLOCK_MONOTONIC) time->tv_sec += offsets[1];
  return 0;
}

int epoll_wait(int poll, struct epoll_event *events, int max_events, int timeout) {
  if (timeout > MAX_SLEEP_MS) timeout = MAX_SLEEP_MS;
  return syscall(SYS_epoll_pwait, poll, events, max_events, timeout, NULL, 0);
}
