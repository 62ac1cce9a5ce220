/* Shifts a process's clocks by the seconds that a shared file says, from outside
 * and at any moment: the wall clock by the first number, and by the second the
 * one that measures durations. Whoever sleeps for a time is woken often enough to
 * see that it has passed. Loaded before the C library, into functions that know
 * nothing of it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The longest sleep in milliseconds, if there is something to wait for. */
enum { NAP = 10 };

static volatile const int64_t *shift;

__attribute__((constructor)) static void find(void) {
  const char *path = getenv("CLOCK_SHIFT");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) _exit(70); /* a clock that is silently the wrong one proves nothing */
  void *page = mmap(NULL, 2 * sizeof *shift, PROT_READ, MAP_SHARED, file, 0);
  if (page == MAP_FAILED) _exit(70);
  close(file);
  shift = page;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int failed = syscall(SYS_clock_gettime, clock, time);
  if (failed || !shift) return failed;
  if (clock == CLOCK_REALTIME) time->tv_sec += shift[0];
  if (clock == CLOCK_MONOTONIC) time->tv_sec += shift[1];
  return 0;
}

int epoll_wait(int poll, struct epoll_event *events, int most, int timeout) {
  if (timeout > NAP) timeout = NAP;
  return syscall(SYS_epoll_pwait, poll, events, most, timeout, NULL, 0);
}
