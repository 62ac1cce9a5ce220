"""Builds what ships: the functions, optimised, for one processor.

Linked with zig against the C library of Amazon Linux 2023, so that it does not
matter which machine builds. Has nothing to do with the local cloud but the tools.
"""

from __future__ import annotations

import os
import shutil

import tools
from build import FUNCTIONS
from paths import REPO
from processes import run
from progress import Failure

TARGETS = {"arm64": "aarch64-unknown-linux-gnu", "x86_64": "x86_64-unknown-linux-gnu"}
GLIBC = "2.34"
"""https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html."""


def release(architecture: str) -> int:
    """Writes target/lambda/<name>/bootstrap for a processor as Lambda calls it.

    Raises `Failure` when it does not compile.
    """
    target = TARGETS.get(architecture)
    if target is None:
        raise Failure(f"ARCH is {' or '.join(TARGETS)}, not {architecture}")
    tools.ensure_zig()
    if shutil.which("rustup") and run(["rustup", "target", "add", target], cwd=REPO) != 0:
        raise Failure(f"adding the target {target} to Rust")
    command = [str(tools.CARGO_LAMBDA), "lambda", "build", "--release", "--locked"]
    command += ["--target", f"{target}.{GLIBC}", "--compiler", "cargo-zigbuild", "--skip-target-check"]
    command += [part for name in FUNCTIONS for part in ("-p", name)]
    # cargo-lambda finds zig through the Python that comes first.
    path = f"{tools.ZIG_PYTHON.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if run(command, env={**os.environ, "PATH": path}, cwd=REPO) != 0:
        raise Failure("the build")
    return 0
