"""Where the local cloud keeps things: all of it inside this checkout.

Two checkouts therefore share nothing, and removing `target` and `.tools`
removes every trace. Knows no tool and starts nothing.
"""

from __future__ import annotations

from pathlib import Path

REPO = Path(__file__).resolve().parent.parent.parent
INFRA = REPO / "infra"
HERE = INFRA / "local"
TEMPLATE = REPO / "template.yaml"

TOOLS = REPO / ".tools"
"""The pinned tools, which outlive `cargo clean`."""

TARGET = REPO / "target"
"""Cargo's folder."""

CLOUD = TARGET / "cloud"
"""What belongs to the cloud of this checkout, running or not."""

LOGS = CLOUD / "logs"
SCRATCH = CLOUD / "tmp"
"""The temporary files of MiniStack and of the functions it runs."""

CLOUD_FILE = CLOUD / "cloud.json"
"""The contract with whoever uses the cloud; `DROPCAST_CLOUD` is its path."""


def venv_bin(venv: str, program: str) -> Path:
    """Where a tool's virtual environment has a program."""
    return TOOLS / venv / "bin" / program
