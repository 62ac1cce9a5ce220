"""Builds every binary as the functions are built: with cargo-lambda, for this host.

One build makes what is deployed (target/lambda/<name>/bootstrap) and what is
run here (the simulator and the demo). Cargo decides what is out of date.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
from pathlib import Path

import tools
from paths import CLOUD, LOGS, REPO, TARGET, TEMPLATE
from processes import run
from progress import Failure, say

PROFILE = "local"
FUNCTIONS = ("publish", "status", "notices", "api")
LOG = LOGS / "build.log"


def build() -> None:
    """Builds the workspace; a person at a terminal sees Cargo's own progress.

    Raises `Failure` when it does not compile.
    """
    command = [str(tools.CARGO_LAMBDA), "lambda", "build", "--workspace"]
    command += ["--profile", PROFILE, "--compiler", "cargo", "--skip-target-check"]
    log = None if sys.stderr.isatty() else LOG
    if not binary(FUNCTIONS[0]).exists():
        say("            the first build takes some minutes")
    if run(command, cwd=REPO, log=log) != 0:
        raise Failure("the build", log)


def binary(name: str) -> Path:
    """Where the build put a program; cargo-lambda calls each one `bootstrap`."""
    return TARGET / "lambda" / name / "bootstrap"


def detached(name: str) -> Path:
    """A copy of a program to run for long: a build cannot replace one that runs."""
    copy = CLOUD / "bin" / name
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.unlink(missing_ok=True)
    shutil.copy2(binary(name), copy)
    return copy


def architecture() -> str:
    """The processor of this host, as Lambda calls it."""
    return {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")


def fingerprint() -> str:
    """Changes when the template or a function does."""
    digest = hashlib.sha256(TEMPLATE.read_bytes())
    for name in FUNCTIONS:
        digest.update(binary(name).read_bytes())
    return digest.hexdigest()
