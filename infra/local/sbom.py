"""Writes a software bill of materials for each function: `make sbom`.

A CycloneDX list of every linked crate with version, licence and checksum, for one
processor architecture. tools.py compiles cargo-cyclonedx from crates.io, because it is
not published as a Python wheel.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import tools
from build import FUNCTIONS
from paths import LOGS, REPO, TARGET
from processes import run
from progress import Failure, step
from release import rust_target

SBOM_FOLDER = TARGET / "sbom"
FILE_STEM = "dropcast-sbom"
"""Name of the files that cargo-cyclonedx writes beside every manifest of the workspace."""


def sbom(architecture: str) -> int:
    """Writes target/sbom/<function>.cdx.json for `arm64` or `x86_64`."""
    target = rust_target(architecture)
    tools.ensure_sbom()
    SBOM_FOLDER.mkdir(parents=True, exist_ok=True)
    for function in FUNCTIONS:
        with step(f"listed the crates of {function}") as remarks:
            remarks.append(f"{_write_sbom(function, target)} crates")
    return 0


def _write_sbom(function: str, target: str) -> int:
    """Writes one function's list and returns the number of crates in it."""
    log = LOGS / "sbom.log"
    manifest = REPO / "functions" / function / "Cargo.toml"
    command = [tools.CARGO_CYCLONEDX, "cyclonedx", "--manifest-path", manifest, "--format", "json"]
    command += ["--spec-version", "1.5", "--target", target, "--no-build-deps"]
    command += ["--override-filename", FILE_STEM]
    try:
        if run(command, env=dict(os.environ), cwd=REPO, log=log) != 0:
            raise Failure(f"listing the crates of {function}", log)
        written = SBOM_FOLDER / f"{function}.cdx.json"
        (manifest.parent / f"{FILE_STEM}.json").replace(written)
    finally:
        for leftover in _generated_files():
            leftover.unlink()
    return len(json.loads(written.read_text())["components"])


def _generated_files() -> list[Path]:
    """Returns the files that cargo-cyclonedx wrote, one for each member of the workspace."""
    return [path for folder in ("functions", "tests") for path in (REPO / folder).rglob(f"{FILE_STEM}.json")]
