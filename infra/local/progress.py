"""Short lines for the person who waits: what is done, and how long it took.

Knows nothing of what the steps are. A step that fails shows the end of its log,
so that nobody has to be told to look for one.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TAIL_LINES = 60


class Failure(Exception):
    """A step went wrong in a way that the message explains to a person."""

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log


def say(line: str = "") -> None:
    """Writes a line at once, also into a pipe."""
    print(line, flush=True)


def complain(failure: Failure) -> None:
    """Writes what went wrong, with the end of the log that tells why."""
    sys.stdout.flush()
    print(f"\n  failed: {failure}", file=sys.stderr)
    if failure.log and failure.log.exists():
        lines = failure.log.read_text(errors="replace").splitlines()
        for line in lines[-TAIL_LINES:]:
            print(f"    | {line}", file=sys.stderr)
        print(f"  all of it: {failure.log}", file=sys.stderr)
    sys.stderr.flush()


@contextmanager
def step(name: str) -> Iterator[list[str]]:
    """Times a step; what is appended to the yielded list is told with it."""
    begun = time.monotonic()
    remarks: list[str] = []
    yield remarks
    took = time.monotonic() - begun
    remark = f"  {', '.join(remarks)}" if remarks else ""
    say(f"  {took:6.1f} s  {name}{remark}")
