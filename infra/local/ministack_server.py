"""Runs MiniStack in its own environment: on one address, over TLS, to the last child.

MiniStack's own entry point would also take port 443 where it may, and would
leave the functions' processes to themselves when it is ended. Here SIGTERM ends
the whole process group at once: everything is in memory and nothing is worth
saving. `python ministack_server.py FOLDER PORT`, FOLDER with the certificate.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from pathlib import Path

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app
from ministack_permissions import note

from ministack_amends import amend


def end_with_children(*_: object) -> None:
    """Ends this process group, the functions' processes with it."""
    os.killpg(os.getpgid(0), signal.SIGKILL)


async def run(tls: Path, port: int) -> None:
    """Serves until the process ends."""
    amend()
    note(Path(os.environ["DROPCAST_PERMISSIONS"]))
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.certfile = str(tls / "server.pem")
    config.keyfile = str(tls / "server.key")
    config.keep_alive_timeout = 75
    # Over HTTP/2, which AWS's own endpoints do not offer either, a request now and then hangs.
    config.alpn_protocols = ["http/1.1"]
    config.loglevel = "WARNING"
    await serve(app, config, shutdown_trigger=asyncio.Event().wait)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end_with_children)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
