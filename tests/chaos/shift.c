/* A library that shifts a process's clocks. `clock.rs` preloads it into the functions, which do not know about it.
 * It replaces the C library's `clock_gettime` and `epoll_wait`, by which Rust's standard library reads the clocks
 * and Tokio sleeps. The offsets are in a shared file that `clock.rs` writes at any moment: two 64-bit numbers of
 * seconds in the machine's byte order, first the wall clock's offset, then the monotonic clock's. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The longest sleep with a timeout, in milliseconds of real time. After it, the process reads its clock again and
 * sees a changed offset. */
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
