"""Builds the functions for a deployment to AWS: `make build`.

zig links them against the C library of Amazon Linux 2023, so the result does not
depend on the machine that builds.
"""

from __future__ import annotations

import os
import shutil

import tools
from build import FUNCTIONS, lambda_build
from paths import REPO
from processes import run
from progress import Failure

RUST_TARGETS = {"arm64": "aarch64-unknown-linux-gnu", "x86_64": "x86_64-unknown-linux-gnu"}
GLIBC = "2.34"
"""The glibc version of Amazon Linux 2023: https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html."""


def release(architecture: str) -> int:
    """Writes target/lambda/<name>/bootstrap for `arm64` or `x86_64`.

    Raises `Failure` if the build fails.
    """
    target = rust_target(architecture)
    tools.ensure_zig()
    if shutil.which("rustup") and run(["rustup", "target", "add", target], cwd=REPO) != 0:
        raise Failure(f"adding the target {target} to Rust")
    # cargo-lambda runs zig through the first Python on PATH.
    path = f"{tools.ZIG_PYTHON.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    lambda_build(
        *("--release", "--locked", "--target", f"{target}.{GLIBC}", "--compiler", "cargo-zigbuild"),
        packages=FUNCTIONS,
        env={**os.environ, "PATH": path},
    )
    return 0


def rust_target(architecture: str) -> str:
    """Returns Rust's target for an architecture in Lambda's spelling; raises `Failure` if unknown."""
    if architecture not in RUST_TARGETS:
        raise Failure(f"ARCH must be {' or '.join(RUST_TARGETS)}, not {architecture}")
    return RUST_TARGETS[architecture]
