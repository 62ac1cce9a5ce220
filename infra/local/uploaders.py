"""Other people's upload tools, for the scenarios that drop videos with them: boto3, rclone and s3cmd.

They are installed like the other tools (tools.py), but while the cloud starts, and only for
`run`. If that fails, the command goes on without them, and those scenarios fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import tools
from paths import HERE, LOGS, TOOLS
from processes import group
from progress import step

NAME = "uploaders"
LOG = LOGS / f"install-{NAME}.log"


@contextmanager
def installation() -> Iterator[Callable[[], dict[str, str]]]:
    """Installs the tools while the block runs, if they are missing or outdated.

    Yields a function that waits for them. It returns the variables that the scenarios read
    (tests/scenarios/uploaders/workstation.rs): none if the installation failed.
    """
    tool = tools.virtual_environment(NAME)
    variables = {"DROPCAST_UPLOADERS": str(TOOLS / NAME / "bin")}
    if tool.is_current():
        yield lambda: variables
        return
    with group(["sh", "-c", tool.script], cwd=HERE, log=LOG) as child:

        def wait() -> dict[str, str]:
            with step(f"installed boto3, rclone and s3cmd into {TOOLS.name}/") as remarks:
                if child.wait() != 0:
                    remarks.append(f"no: the scenarios that drop with them will fail; {LOG} says why")
                    return {}
                tool.mark_current()
            return variables

        yield wait
