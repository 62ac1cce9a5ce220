"""Starts and stops child processes, so that none outlives the command that should stop it.

- Each child leads its own process group, so stopping it also stops everything that it started.
- On Linux, a child with `Lifetime.THIS_COMMAND` asks the kernel for SIGTERM when its parent dies. This
  covers a SIGKILL of the parent, which no handler can catch.
- `Running` identifies a process by id and start time, so an old record never stops an unrelated process
  that was given the same id.
"""

from __future__ import annotations

import contextlib
import ctypes
import enum
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from progress import Failure

PR_SET_PDEATHSIG = 1
STOP_TIMEOUT_S = 3.0
"""How long a process group may take to end after SIGTERM, and again after SIGKILL."""
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

T = TypeVar("T")


class Lifetime(enum.Enum):
    """When a child process ends."""

    THIS_COMMAND = "with the process that started it"
    DETACHED = "when `Running.stop` is called, by a later command"


@dataclass(frozen=True)
class Running:
    """A process group, identified by its leader."""

    name: str
    pid: int
    started: str
    """When the leader started, as `_start_time` returns it."""

    def alive(self) -> bool:
        """Returns whether the leader still runs."""
        return _start_time(self.pid) == self.started

    def stop(self) -> None:
        """Ends the whole group: SIGTERM, SIGKILL 3 s later if needed. Waits until the group has ended."""
        if self.started and _start_time(self.pid) not in ("", self.started):
            return  # another process has this id now
        for signum in (signal.SIGTERM, signal.SIGKILL):
            if not _signal_group(self.pid, signum):
                return
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while time.monotonic() < deadline:
                _reap(self.pid)
                if not _group_runs(self.pid):
                    return
                time.sleep(0.02)

    def record(self) -> dict[str, object]:
        """Returns the JSON form; `Running(**record)` restores it."""
        return asdict(self)


def start(
    name: str,
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    log: Path,
    lifetime: Lifetime,
    cwd: Path,
) -> Running:
    """Starts a program in its own session, with its output in `log`, and returns without waiting."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        child = subprocess.Popen(
            [str(part) for part in argv],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent(os.getpid()) if lifetime is Lifetime.THIS_COMMAND else None,
        )
    child.returncode = 0  # `Running.stop` reaps the child; this keeps Popen from warning that it still runs
    return Running(name, child.pid, _start_time(child.pid))


def wait_until_ready(
    running: Running, probe: Callable[[], T | None], *, timeout_s: float, poll_s: float, log: Path
) -> T:
    """Calls `probe` until it returns a value, and returns that value.

    Raises `Failure` if the process ends first or the timeout passes.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        result = probe()
        if result is not None:
            return result
        if not running.alive():
            raise Failure(f"{running.name} ended while starting", log)
        time.sleep(poll_s)
    raise Failure(f"{running.name} was not ready after {timeout_s:g} s", log)


@contextmanager
def group(
    argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Starts a program as the leader of a process group, and stops the group when the block ends.

    The caller waits for the program inside the block. Without `log`, it writes to our stdout and stderr.
    """
    parent = os.getpid()

    def become_leader() -> None:
        os.setpgid(0, 0)
        _end_with_parent(parent)()

    with contextlib.ExitStack() as files:
        output = None
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)
            output = files.enter_context(log.open("wb"))
        child = subprocess.Popen(
            [str(part) for part in argv],
            env=dict(env) if env else None,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=become_leader,
        )
    leader = Running(str(argv[0]), child.pid, _start_time(child.pid))
    try:
        yield child
    except BaseException:
        # We were interrupted (Ctrl-C or a signal). Give the program time to clean up before `stop`.
        _signal_group(child.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(STOP_TIMEOUT_S)
        raise
    finally:
        leader.stop()


def run(
    argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path, log: Path | None = None
) -> int:
    """Runs a program to its end and returns its exit code as a shell reports it (128 + signal)."""
    with group(argv, env=env, cwd=cwd, log=log) as child:
        code = child.wait()
    return code if code >= 0 else 128 - code


@dataclass(frozen=True)
class Job:
    """A program that `run_jobs` runs together with others."""

    argv: Sequence[str | Path]
    log: Path
    failure: str
    """The message of the `Failure` if the program exits with an error."""
    on_success: Callable[[], None] = lambda: None


def run_jobs(jobs: Sequence[Job], *, cwd: Path) -> None:
    """Runs programs at the same time. Raises `Failure` for the first job in the given order that fails."""
    with contextlib.ExitStack() as groups:
        children = [groups.enter_context(group(job.argv, cwd=cwd, log=job.log)) for job in jobs]
        for job, child in zip(jobs, children, strict=True):
            if child.wait() != 0:
                raise Failure(job.failure, job.log)
            job.on_success()


def inherited_environment(overrides: Mapping[str, str]) -> dict[str, str]:
    """Returns this process's environment with `overrides` applied."""
    return {**os.environ, **overrides}


def clean_environment(home: Path) -> dict[str, str]:
    """Returns an environment with none of the host's variables except PATH."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "HOME": str(home)}


def _end_with_parent(parent: int) -> Callable[[], None]:
    """Returns a function that the child runs before exec, to receive SIGTERM when `parent` dies."""

    def request_signal() -> None:
        if _LIBC is None:
            return
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the request
            os._exit(1)

    return request_signal


def _signal_group(group: int, signum: int) -> bool:
    """Signals a group; returns whether it existed."""
    try:
        os.killpg(group, signum)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS raises this for a group of zombies
        return False
    return True


def _group_runs(group: int) -> bool:
    """Returns whether a process of the group still runs. Zombies do not count."""
    if sys.platform != "linux":
        return _signal_group(group, 0)
    states = (_stat_fields(stat) for stat in Path("/proc").glob("[0-9]*/stat"))
    return any(fields[2] == str(group) and fields[0] != "Z" for fields in states if fields)


def _reap(pid: int) -> None:
    """Collects the exit status of our child, if it has ended."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _start_time(pid: int) -> str:
    """Returns when a process started, in the system's own format; empty if it does not run."""
    if sys.platform != "linux":
        command = ["ps", "-o", "lstart=", "-p", str(pid)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    fields = _stat_fields(Path(f"/proc/{pid}/stat"))
    return fields[19] if fields and fields[0] != "Z" else ""


def _stat_fields(stat: Path) -> list[str]:
    """Returns the fields of /proc/<pid>/stat after the process name: state, parent, group and so on."""
    try:
        return stat.read_text(errors="replace").rsplit(")", 1)[1].split()
    except OSError:
        return []
