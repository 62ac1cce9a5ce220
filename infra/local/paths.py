"""The folders and files of the local cloud, all inside this checkout.

Two checkouts therefore share nothing, and deleting `target` and `.tools`
deletes everything that the local cloud has written. This module runs nothing.
"""

from __future__ import annotations

from pathlib import Path

REPO = Path(__file__).resolve().parent.parent.parent
INFRA = REPO / "infra"
HERE = INFRA / "local"
TEMPLATE = REPO / "template.yaml"

TOOLS = REPO / ".tools"
"""The pinned tools. They are outside `target`, so `cargo clean` keeps them."""

TARGET = REPO / "target"
"""Cargo's output folder."""

CLOUD = TARGET / "cloud"
"""State, certificates and logs of this checkout's cloud. Only the state files are deleted when it stops."""

LOGS = CLOUD / "logs"
SCRATCH = CLOUD / "tmp"
"""Temporary files of MiniStack and of the functions that it runs."""

CLOUD_FILE = CLOUD / "cloud.json"
"""Describes the running cloud to programs; `DROPCAST_CLOUD` holds this path. See `state.py`."""


def venv_bin(venv: str, program: str) -> Path:
    """Returns the path of a program in one of the tools' virtual environments."""
    return TOOLS / venv / "bin" / program
