"""Fuzzes whatever parses what others send: `make fuzz`, and for moments in `make check`.

The targets are tests/fuzz, built by cargo-fuzz with libFuzzer's instrumentation
and without a sanitizer, which stable Rust has not, and which safe code has
little use for; arithmetic is checked. Does not know what is fuzzed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import processes
import tools
from paths import REPO, TARGET
from progress import Failure, step

TESTS = REPO / "tests" / "fuzz"
CORPUS = TESTS / "corpus"
SEEDS = {"event": REPO / "events", "video": REPO / "tests" / "fixtures"}
"""What else teaches a target something, and is not in its corpus."""

HOME = TARGET / "fuzz"
ARTIFACTS = HOME / "artifacts"
BUILD_LOG = HOME / "build.log"
PROFILE = {
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "1",
    "CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS": "true",
    "CARGO_PROFILE_RELEASE_STRIP": "none",
}
"""The workspace's release profile is for what ships, and takes minutes to link."""

AT_ONCE = 2
RUNS = 20_000
"""Inputs of a target in `make check`: a fixed number from a fixed seed, so that it finds the same twice."""
LONGEST_INPUT = 20_000
USUAL_S = 60


def check() -> None:
    """Replays every corpus and tries some thousand mutations; raises `Failure` at a finding."""
    with step("built the fuzz targets"):
        _build()
    with step(f"fuzzed them, {RUNS} inputs each") as remarks:
        found = HOME / "checked"
        shutil.rmtree(found, ignore_errors=True)
        limits = ["-seed=1", f"-runs={RUNS}", "-max_total_time=30"]
        remarks.extend(_run(_targets(), found, limits))


def fuzz(arguments: Sequence[str]) -> int:
    """Fuzzes for long, and keeps in tests/fuzz/corpus what reaches something new."""
    parser = argparse.ArgumentParser(prog="make fuzz FUZZ=…", description="Fuzzes the named targets, or all.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(_targets())}")
    parser.add_argument("--seconds", type=int, default=USUAL_S, help="for each target (%(default)s)")
    asked = parser.parse_args(arguments)
    targets = asked.targets or _targets()
    if unknown := set(targets) - set(_targets()):
        raise Failure(f"there is no target {', '.join(sorted(unknown))}; there are {', '.join(_targets())}")
    with step("tools are there"):
        tools.ensure_checkers()
    with step("built the fuzz targets"):
        _build()
    found = HOME / "found"
    with step(f"fuzzed for {asked.seconds} s each") as remarks:
        remarks.extend(_run(targets, found, [f"-max_total_time={asked.seconds}"]))
    with step(f"kept in {CORPUS.relative_to(REPO)} what is new") as remarks:
        remarks.extend(f"{target} {_keep(target, found / target)}" for target in targets)
    return 0


def _targets() -> list[str]:
    return sorted(path.stem for path in (TESTS / "targets").glob("*.rs"))


def _build() -> None:
    command = [tools.CARGO_FUZZ, "build", "--fuzz-dir", TESTS, "--features", "libfuzzer"]
    command += ["--sanitizer", "none", "--codegen-units", "16", "--target-dir", HOME]
    if processes.run(command, env={**os.environ, **PROFILE}, cwd=REPO, log=BUILD_LOG) != 0:
        raise Failure("building the fuzz targets", BUILD_LOG)


def _program(target: str) -> Path:
    """The newest build of a target; cargo-fuzz names the host's triple in its path."""
    built = list(HOME.glob(f"*/release/{target}"))
    if not built:
        raise Failure(f"the fuzz target {target} was not built", BUILD_LOG)
    return max(built, key=lambda path: path.stat().st_mtime)


def _run(targets: Sequence[str], found: Path, limits: Sequence[str]) -> list[str]:
    """Runs the targets, two at once, and returns how many inputs each was given."""
    for at in range(0, len(targets), AT_ONCE):
        _run_together(targets[at : at + AT_ONCE], found, limits)
    return [f"{target} {_inputs(_log(target))}" for target in targets]


def _run_together(targets: Sequence[str], found: Path, limits: Sequence[str]) -> None:
    with contextlib.ExitStack() as groups:
        running = [
            (target, groups.enter_context(processes.group(command, cwd=REPO, log=_log(target))))
            for target in targets
            for command in (_command(target, found / target, limits),)
        ]
        for target, child in running:
            if child.wait() != 0:
                raise Failure(f"{target} breaks a promise; the input is in {ARTIFACTS}", _log(target))


def _command(target: str, found: Path, limits: Sequence[str]) -> list[str | Path]:
    """What libFuzzer learns goes into the first folder; it reads them all."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    options = [f"-artifact_prefix={ARTIFACTS}/{target}-", f"-dict={TESTS}/dictionaries/{target}.txt"]
    options += [f"-max_len={LONGEST_INPUT}", "-timeout=10", "-print_final_stats=1", *limits]
    return [_program(target), *options, found, *_known(target)]


def _keep(target: str, found: Path) -> int:
    """Adds to the corpus what reaches something that nothing known reaches; returns how much that is."""
    log = HOME / "logs" / f"{target}-merge.log"
    merged = HOME / "merged" / target
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir(parents=True)
    known = [path for folder in _known(target) for path in folder.iterdir() if path.is_file()]
    for path in known:
        shutil.copy2(path, merged)
    command = [_program(target), "-merge=1", f"-max_len={LONGEST_INPUT}", merged, found]
    if processes.run(command, cwd=REPO, log=log) != 0:
        raise Failure(f"merging what {target} learned", log)
    new = {path.name for path in merged.iterdir()} - {path.name for path in known}
    for name in new:
        shutil.copy2(merged / name, CORPUS / target)
    return len(new)


def _known(target: str) -> list[Path]:
    return [CORPUS / target, *([SEEDS[target]] if target in SEEDS else [])]


def _log(target: str) -> Path:
    return HOME / "logs" / f"{target}.log"


def _inputs(log: Path) -> str:
    """How many inputs a run says that it tried."""
    said = re.search(r"stat::number_of_executed_units: (\d+)", log.read_text(errors="replace"))
    return said.group(1) if said else "?"
