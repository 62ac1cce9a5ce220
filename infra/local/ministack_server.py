"""Runs MiniStack over TLS on 127.0.0.1: `python ministack_server.py FOLDER PORT`.

FOLDER contains the certificate (certificate.py). MiniStack's own entry point is not used,
because it also tries to listen on port 443 and leaves the functions' processes running when
it ends. Here SIGTERM kills the whole process group at once: all data is in memory, so
nothing must be saved. Runs in MiniStack's virtual environment.
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

import ministack_patches
import ministack_s3
from ministack_permissions import log_decisions


def kill_process_group(*_: object) -> None:
    """Kills this process and the functions' processes."""
    os.killpg(os.getpgid(0), signal.SIGKILL)


async def run(tls: Path, port: int) -> None:
    """Serves until the process ends."""
    ministack_patches.apply_all()
    ministack_s3.apply_all()
    log_decisions(Path(os.environ["DROPCAST_PERMISSIONS"]))
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.certfile = str(tls / "server.pem")
    config.keyfile = str(tls / "server.key")
    config.keep_alive_timeout = 75
    # HTTP/1.1 only: over HTTP/2 a request hangs now and then. AWS's endpoints offer no HTTP/2 either.
    config.alpn_protocols = ["http/1.1"]
    config.loglevel = "WARNING"
    await serve(app, config, shutdown_trigger=asyncio.Event().wait)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, kill_process_group)
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
