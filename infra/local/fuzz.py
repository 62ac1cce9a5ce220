"""Fuzzes the parsers of external input: `make fuzz`, and a short run in `make check`.

The targets are in tests/fuzz; a target passes an input to one parser. cargo-fuzz builds
them with libFuzzer's coverage instrumentation. They have no sanitizer: stable Rust does
not support one, and it finds little in safe code. Arithmetic overflow is checked.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import processes
import tools
from paths import REPO, TARGET
from processes import Job
from progress import Failure, step

TESTS = REPO / "tests" / "fuzz"
CORPUS = TESTS / "corpus"
EXTRA_SEEDS = {"event": REPO / "events", "video": REPO / "tests" / "fixtures"}
"""Folders whose files a target gets in addition to its corpus."""

OUTPUT = TARGET / "fuzz"
ARTIFACTS = OUTPUT / "artifacts"
BUILD_LOG = OUTPUT / "build.log"
PROFILE = {
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "1",
    "CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS": "true",
    "CARGO_PROFILE_RELEASE_STRIP": "none",
}
"""Overrides of the workspace's release profile, whose link-time optimisation takes minutes."""

PARALLEL_TARGETS = 2
CHECK_RUNS = 20_000
"""Inputs for each target in `make check`. Number and seed are fixed, so a finding is reproducible."""

MAX_INPUT_BYTES = 20_000
DEFAULT_S = 60
"""Seconds for each target in `make fuzz`."""


def check() -> None:
    """Runs every corpus and 20,000 inputs for each target; raises `Failure` if a target crashes."""
    with step("built the fuzz targets"):
        _build()
    with step(f"fuzzed each target with {CHECK_RUNS} inputs") as remarks:
        new_inputs = OUTPUT / "checked"
        shutil.rmtree(new_inputs, ignore_errors=True)
        limits = ["-seed=1", f"-runs={CHECK_RUNS}", "-max_total_time=30"]
        remarks.extend(_run(_targets(), new_inputs, limits))


def fuzz(arguments: Sequence[str]) -> int:
    """Fuzzes the named targets, or all, and adds inputs that reach new code to tests/fuzz/corpus."""
    parser = argparse.ArgumentParser(prog="make fuzz FUZZ=…", description="Fuzzes the named targets, or all.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(_targets())}")
    parser.add_argument("--seconds", type=int, default=DEFAULT_S, help="time for each target (%(default)s)")
    parsed = parser.parse_args(arguments)
    targets = parsed.targets or _targets()
    if unknown := set(targets) - set(_targets()):
        raise Failure(f"unknown target {', '.join(sorted(unknown))}; targets are {', '.join(_targets())}")
    with step("tools are there"):
        tools.ensure_checkers()
    with step("built the fuzz targets"):
        _build()
    new_inputs = OUTPUT / "found"
    with step(f"fuzzed each target for {parsed.seconds} s") as remarks:
        remarks.extend(_run(targets, new_inputs, [f"-max_total_time={parsed.seconds}"]))
    with step(f"added inputs that reach new code to {CORPUS.relative_to(REPO)}") as remarks:
        remarks.extend(f"{target} {_extend_corpus(target, new_inputs / target)}" for target in targets)
    return 0


def _targets() -> list[str]:
    return sorted(path.stem for path in (TESTS / "targets").glob("*.rs"))


def _build() -> None:
    command = [tools.CARGO_FUZZ, "build", "--fuzz-dir", TESTS, "--features", "libfuzzer"]
    command += ["--sanitizer", "none", "--codegen-units", "16", "--target-dir", OUTPUT]
    if processes.run(command, env={**os.environ, **PROFILE}, cwd=REPO, log=BUILD_LOG) != 0:
        raise Failure("building the fuzz targets", BUILD_LOG)


def _program(target: str) -> Path:
    """Returns the newest build of a target. The path contains the host's triple, hence the glob."""
    built = list(OUTPUT.glob(f"*/release/{target}"))
    if not built:
        raise Failure(f"the fuzz target {target} was not built", BUILD_LOG)
    return max(built, key=lambda path: path.stat().st_mtime)


def _run(targets: Sequence[str], new_inputs: Path, limits: Sequence[str]) -> list[str]:
    """Runs the targets, two at a time, and returns the number of inputs that each one got."""
    for first in range(0, len(targets), PARALLEL_TARGETS):
        jobs = [
            Job(
                argv=_command(target, new_inputs / target, limits),
                log=_log(target),
                failure=f"fuzz target {target} failed; the input is in {ARTIFACTS}",
            )
            for target in targets[first : first + PARALLEL_TARGETS]
        ]
        processes.run_jobs(jobs, cwd=REPO)
    return [f"{target} {_input_count(_log(target))}" for target in targets]


def _command(target: str, new_inputs: Path, limits: Sequence[str]) -> list[str | Path]:
    """Returns the command line. libFuzzer reads all folders, and writes new inputs to the first."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    new_inputs.mkdir(parents=True, exist_ok=True)
    options = [f"-artifact_prefix={ARTIFACTS}/{target}-", f"-dict={TESTS}/dictionaries/{target}.txt"]
    options += [f"-max_len={MAX_INPUT_BYTES}", "-timeout=10", "-print_final_stats=1", *limits]
    return [_program(target), *options, new_inputs, *_seed_folders(target)]


def _extend_corpus(target: str, new_inputs: Path) -> int:
    """Copies inputs that reach code no known input reaches into the corpus; returns their number."""
    log = OUTPUT / "logs" / f"{target}-merge.log"
    merged = OUTPUT / "merged" / target
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir(parents=True)
    known = [path for folder in _seed_folders(target) for path in folder.iterdir() if path.is_file()]
    for path in known:
        shutil.copy2(path, merged)
    command = [_program(target), "-merge=1", f"-max_len={MAX_INPUT_BYTES}", merged, new_inputs]
    if processes.run(command, cwd=REPO, log=log) != 0:
        raise Failure(f"merging the new inputs of {target}", log)
    added = {path.name for path in merged.iterdir()} - {path.name for path in known}
    for name in added:
        shutil.copy2(merged / name, CORPUS / target)
    return len(added)


def _seed_folders(target: str) -> list[Path]:
    return [CORPUS / target, *([EXTRA_SEEDS[target]] if target in EXTRA_SEEDS else [])]


def _log(target: str) -> Path:
    return OUTPUT / "logs" / f"{target}.log"


def _input_count(log: Path) -> str:
    """Returns the number of inputs that libFuzzer reports at the end of its log."""
    found = re.search(r"stat::number_of_executed_units: (\d+)", log.read_text(errors="replace"))
    return found.group(1) if found else "?"
