"""Builds the release binaries for this host and measures them: `make bench`.

Cargo builds the functions, and the programs that they are compared with, in the release
profile with the host's own linker (not with zig, as for AWS). The program tests/bench then
measures them. It starts its own stand-ins for AWS and TikTok, so no local cloud is needed.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import tools
from build import FUNCTIONS, binary, build, lambda_build
from paths import REPO, TARGET
from processes import run
from progress import say, step

BENCH = TARGET / "bench"
RELEASE_FUNCTIONS = BENCH / "functions"
PROGRAMS = BENCH / "programs"


def bench(arguments: list[str]) -> int:
    """Builds, runs tests/bench with these arguments, and returns its exit code."""
    with step("tools are there"):
        tools.ensure()
    say("            the first build with link-time optimisation takes some minutes")
    with step("built the functions in the release profile"):
        _build_release(RELEASE_FUNCTIONS, FUNCTIONS)
        for name in FUNCTIONS:
            _zip(RELEASE_FUNCTIONS / name / "bootstrap")
    with step("built the bench and the simulator"):
        _build_release(PROGRAMS, ("bench", "simulator"))
    with step("built the program that connects accounts"):
        build()
    command = [str(PROGRAMS / "bench" / "bootstrap"), *arguments]
    return run([*command, "--connect", str(binary("connect"))], cwd=REPO)


def _build_release(folder: Path, packages: tuple[str, ...]) -> None:
    """Writes <folder>/<package>/bootstrap for each package."""
    options = ("--release", "--locked", "--compiler", "cargo", "--lambda-dir", str(folder))
    lambda_build(*options, packages=packages)


def _zip(program: Path) -> None:
    """Packs a function in the same way as `sam deploy`."""
    with zipfile.ZipFile(program.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as package:
        package.write(program, program.name)
