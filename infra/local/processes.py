"""Processes that are never left behind.

Each child leads a process group of its own, so that whatever it starts goes
with it. One that belongs to a single run also asks the kernel (Linux) to be
told when the run's process dies, which covers the SIGKILL that nobody can
handle. A recorded process is recognised by its start time as well as its id,
so a stale record never kills a stranger. Does not know what it runs.
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

PR_SET_PDEATHSIG = 1
PATIENCE_S = 3.0
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Lifetime(enum.Enum):
    """How long a child may live."""

    WITH_US = "ends when the process that started it ends"
    DETACHED = "goes on until it is stopped"


@dataclass(frozen=True)
class Running:
    """A process group, by its leader."""

    name: str
    pid: int
    started: str

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return _started(self.pid) == self.started

    def stop(self) -> None:
        """Ends the whole group: asks first, then insists, then waits until it is gone."""
        if self.started and _started(self.pid) not in ("", self.started):
            return  # the id has been given to somebody else
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if not _signal_group(self.pid, sign):
                return
            deadline = time.monotonic() + PATIENCE_S
            while time.monotonic() < deadline:
                _reap(self.pid)
                if not _group_runs(self.pid):
                    return
                time.sleep(0.02)

    def record(self) -> dict[str, object]:
        """What `Running(**record)` takes."""
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
    """Starts a program in a session of its own, with its output in `log`."""
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
            preexec_fn=_tie_to(os.getpid()) if lifetime is Lifetime.WITH_US else None,
        )
    child.returncode = 0  # `stop` waits for it; Popen must not warn that nobody did
    return Running(name, child.pid, _started(child.pid))


@contextmanager
def group(
    argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that whoever enters waits for; when the block is left, all of its group is gone.

    Its output goes to `log`, or to where ours goes.
    """
    ours = os.getpid()

    def become_leader() -> None:
        os.setpgid(0, 0)
        _tie_to(ours)()

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
    leader = Running(str(argv[0]), child.pid, _started(child.pid))
    try:
        yield child
    except BaseException:
        # Ctrl-C or a signal for us: pass it on as a polite request.
        _signal_group(child.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(PATIENCE_S)
        raise
    finally:
        leader.stop()


def run(
    argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path, log: Path | None = None
) -> int:
    """Runs a program to its end and returns its exit code, as a shell would tell it."""
    with group(argv, env=env, cwd=cwd, log=log) as child:
        code = child.wait()
    return code if code >= 0 else 128 - code


def inherited(told: Mapping[str, str]) -> dict[str, str]:
    """What this process was started with, and what it is told besides."""
    return {**os.environ, **told}


def _tie_to(parent: int) -> Callable[[], None]:
    """Makes a function for the child: be told when `parent` dies."""

    def tie() -> None:
        if _LIBC is None:
            return
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return tie


def _signal_group(group: int, sign: int) -> bool:
    """Whether there was a group to signal."""
    try:
        os.killpg(group, sign)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so of a group of zombies
        return False
    return True


def _group_runs(group: int) -> bool:
    """Whether a process of the group still runs; a zombie waiting for its parent does not."""
    if sys.platform != "linux":
        return _signal_group(group, 0)
    states = (_fields(stat) for stat in Path("/proc").glob("[0-9]*/stat"))
    return any(fields[2] == str(group) and fields[0] != "Z" for fields in states if fields)


def _reap(pid: int) -> None:
    """Takes the exit status of a child of ours, if there is one."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _started(pid: int) -> str:
    """When a process started, in the system's own terms; empty if it does not run."""
    if sys.platform != "linux":
        asked = ["ps", "-o", "lstart=", "-p", str(pid)]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    fields = _fields(Path(f"/proc/{pid}/stat"))
    return fields[19] if fields and fields[0] != "Z" else ""


def _fields(stat: Path) -> list[str]:
    """What the kernel tells of a process after its name: state, parent, group and so on."""
    try:
        return stat.read_text(errors="replace").rsplit(")", 1)[1].split()
    except OSError:
        return []
