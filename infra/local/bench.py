"""Measures what ships: `make bench`.

Builds the functions as they ship, but for this host and so without zig, beside
the programs that they are compared with; packs them as SAM does; and has
tests/bench measure them. That starts whatever it needs around them by itself: no
local cloud is up. Knows nothing of what is measured.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import tools
from build import FUNCTIONS, binary, build
from paths import REPO, TARGET
from processes import run
from progress import Failure, say, step

BENCH = TARGET / "bench"
SHIPPED = BENCH / "functions"
PROGRAMS = BENCH / "programs"


def bench(arguments: list[str]) -> int:
    """Builds, measures with these arguments of tests/bench, and returns its exit code."""
    with step("tools are there"):
        tools.ensure()
    say("            the first build with link-time optimisation takes some minutes")
    with step("built what ships, for this host"):
        _build(SHIPPED, FUNCTIONS)
        for name in FUNCTIONS:
            _pack(SHIPPED / name / "bootstrap")
    with step("built what it is compared with"):
        _build(PROGRAMS, ("bench", "simulator"))
    with step("built what connects accounts"):
        build()
    command = [str(PROGRAMS / "bench" / "bootstrap"), *arguments]
    return run([*command, "--connect", str(binary("connect"))], cwd=REPO)


def _build(folder: Path, packages: Sequence[str]) -> None:
    """Writes <folder>/<binary>/bootstrap; each selection as if it were the only one."""
    command = [str(tools.CARGO_LAMBDA), "lambda", "build", "--release", "--locked"]
    command += ["--compiler", "cargo", "--skip-target-check", "--lambda-dir", str(folder)]
    command += [part for name in packages for part in ("-p", name)]
    if run(command, cwd=REPO) != 0:
        raise Failure("the build")


def _pack(program: Path) -> None:
    """Zips a function as `sam deploy` does."""
    with zipfile.ZipFile(program.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as package:
        package.write(program, program.name)
