"""Progress lines on the terminal: each finished step and how long it took.

If a step fails, the end of its log is printed with the message.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TAIL_LINES = 60


class Failure(Exception):
    """A step failed. The message is meant for the person at the terminal."""

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log


def say(line: str = "") -> None:
    """Prints a line and flushes, so that it also appears at once in a pipe."""
    print(line, flush=True)


def print_failure(failure: Failure) -> None:
    """Prints the message of a failure and the last lines of its log to stderr."""
    sys.stdout.flush()
    print(f"\n  failed: {failure}", file=sys.stderr)
    if failure.log and failure.log.exists():
        lines = failure.log.read_text(errors="replace").splitlines()
        for line in lines[-TAIL_LINES:]:
            print(f"    | {line}", file=sys.stderr)
        print(f"  full log: {failure.log}", file=sys.stderr)
    sys.stderr.flush()


@contextmanager
def step(name: str) -> Iterator[list[str]]:
    """Times a step. On success prints its line, with the remarks that were added to the yielded list."""
    started_at = time.monotonic()
    remarks: list[str] = []
    yield remarks
    duration_s = time.monotonic() - started_at
    suffix = f"  {', '.join(remarks)}" if remarks else ""
    say(f"  {duration_s:6.1f} s  {name}{suffix}")
