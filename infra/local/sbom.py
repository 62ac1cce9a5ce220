"""Writes what each function that ships is made of: `make sbom`.

A CycloneDX list of every crate that is linked, with version, licence and
checksum, for the processor that it is built for. cargo-cyclonedx comes from
crates.io, since nobody publishes it as a wheel.
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
from release import TARGETS

LISTS = TARGET / "sbom"
NAME = "dropcast-sbom"
"""Of the files that the tool leaves beside every manifest."""


def sbom(architecture: str) -> int:
    """Writes target/sbom/<function>.cdx.json for a processor as Lambda calls it."""
    if architecture not in TARGETS:
        raise Failure(f"ARCH is {' or '.join(TARGETS)}, not {architecture}")
    tools.ensure_sbom()
    LISTS.mkdir(parents=True, exist_ok=True)
    for function in FUNCTIONS:
        with step(f"listed what {function} is made of") as remarks:
            remarks.append(f"{_list(function, TARGETS[architecture])} crates")
    return 0


def _list(function: str, target: str) -> int:
    """Writes one function's list and returns how many crates it names."""
    log = LOGS / "sbom.log"
    manifest = REPO / "functions" / function / "Cargo.toml"
    command = [tools.CARGO_CYCLONEDX, "cyclonedx", "--manifest-path", manifest, "--format", "json"]
    command += ["--spec-version", "1.5", "--target", target, "--no-build-deps", "--override-filename", NAME]
    try:
        if run(command, env=dict(os.environ), cwd=REPO, log=log) != 0:
            raise Failure(f"listing what {function} is made of", log)
        written = LISTS / f"{function}.cdx.json"
        (manifest.parent / f"{NAME}.json").replace(written)
    finally:
        # It writes one for every member of the workspace.
        for left in _left():
            left.unlink()
    return len(json.loads(written.read_text())["components"])


def _left() -> list[Path]:
    return [path for folder in ("functions", "tests") for path in (REPO / folder).rglob(f"{NAME}.json")]
