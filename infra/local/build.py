"""Builds all binaries for this host with cargo-lambda, in the `local` profile.

One build produces the functions that are deployed (target/lambda/<name>/bootstrap)
and the programs that run here, such as the simulator and the demo.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import tools
from paths import CLOUD, LOGS, REPO, TARGET, TEMPLATE
from processes import run
from progress import Failure, say

PROFILE = "local"
FUNCTIONS = ("publish", "status", "notices", "api")
LOG = LOGS / "build.log"


def build() -> None:
    """Builds the workspace. At a terminal, Cargo's own progress is shown instead of a log.

    Raises `Failure` if the build fails.
    """
    if not binary(FUNCTIONS[0]).exists():
        say("            the first build takes some minutes")
    log = None if sys.stderr.isatty() else LOG
    lambda_build("--workspace", "--profile", PROFILE, "--compiler", "cargo", log=log)


def lambda_build(
    *options: str, packages: Sequence[str] = (), env: Mapping[str, str] | None = None, log: Path | None = None
) -> None:
    """Runs `cargo lambda build` for these packages; without any, `options` select what is built.

    Raises `Failure` if the build fails.
    """
    command = [str(tools.CARGO_LAMBDA), "lambda", "build", "--skip-target-check", *options]
    command += [part for name in packages for part in ("-p", name)]
    if run(command, env=env, cwd=REPO, log=log) != 0:
        raise Failure("the build", log)


def binary(name: str) -> Path:
    """Returns the path of a built program; cargo-lambda names every one `bootstrap`."""
    return TARGET / "lambda" / name / "bootstrap"


def copy_binary(name: str) -> Path:
    """Copies a program that will run for long and returns the copy. A build cannot replace a running file."""
    copy = CLOUD / "bin" / name
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.unlink(missing_ok=True)
    shutil.copy2(binary(name), copy)
    return copy


def architecture() -> str:
    """Returns this host's processor architecture in Lambda's spelling."""
    return {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")


def fingerprint() -> str:
    """Returns a hash of the template and the functions; a new value means that a deployment is needed."""
    digest = hashlib.sha256(TEMPLATE.read_bytes())
    for name in FUNCTIONS:
        digest.update(binary(name).read_bytes())
    return digest.hexdigest()
