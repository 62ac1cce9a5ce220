"""TikTok, played by our simulator, or by whatever TIKTOK_API_URL names.

The functions cannot tell the difference: they get a URL, upload hosts and
credentials, as they would for TikTok itself. Knows nothing of AWS.
"""

from __future__ import annotations

import os
import re
import secrets
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from build import detached
from paths import CLOUD, LOGS
from processes import Lifetime, Running, start
from progress import Failure

LOG = LOGS / "simulator.log"
CLIENT_KEY = "local-client-key"
PATIENCE_S = 15.0
ANNOUNCEMENT = re.compile(r"listening on (http://127\.0\.0\.1:\d+)")


@dataclass(frozen=True)
class TikTok:
    """Where the functions find TikTok and who they are there."""

    api_url: str
    upload_hosts: str
    client_key: str
    client_secret: str
    simulator: str | None
    """The simulator's URL, unless something else plays TikTok."""


def elsewhere() -> TikTok | None:
    """The stand-in that the environment names, if it names one.

    TIKTOK_API_URL, and where they differ from what follows from it
    TIKTOK_UPLOAD_HOSTS, TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET.
    """
    url = os.environ.get("TIKTOK_API_URL", "").rstrip("/")
    if not url:
        return None
    host = urllib.parse.urlsplit(url).netloc
    return TikTok(
        api_url=url,
        upload_hosts=os.environ.get("TIKTOK_UPLOAD_HOSTS") or host,
        client_key=os.environ.get("TIKTOK_CLIENT_KEY", ""),
        client_secret=os.environ.get("TIKTOK_CLIENT_SECRET", ""),
        simulator=None,
    )


@dataclass(frozen=True)
class Addresses:
    """What the app's developer enters in TikTok's portal."""

    redirect: str
    webhook: str


def simulate(lifetime: Lifetime, addresses: Addresses, trust: Path) -> tuple[TikTok, Running]:
    """Starts the simulator on a free port and waits until it says where it listens.

    The addresses are registered for the app, under the rules of a deployed one. `trust`
    has the certificate of the one that webhooks go to.
    """
    client_secret = secrets.token_urlsafe(24)
    running = start(
        "simulator",
        [
            detached("simulator"),
            *("--listen", "127.0.0.1:0", "--client-key", CLIENT_KEY),
            *("--redirect-uri", addresses.redirect, "--loopback-redirects", "web"),
            *("--webhook-url", addresses.webhook),
        ],
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "SIMULATOR_CLIENT_SECRET": client_secret,
            "SSL_CERT_FILE": str(trust),
            "NO_PROXY": "127.0.0.1",
            "RUST_BACKTRACE": "1",
        },
        log=LOG,
        lifetime=lifetime,
        cwd=CLOUD,
    )
    try:
        url = _announced(running)
    except BaseException:  # nobody else knows of it yet
        running.stop()
        raise
    host = urllib.parse.urlsplit(url).netloc
    return TikTok(url, host, CLIENT_KEY, client_secret, url), running


def _announced(running: Running) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if said := ANNOUNCEMENT.search(LOG.read_text(errors="replace")):
            return said.group(1)
        if not running.alive():
            raise Failure("the simulator ended while starting", LOG)
        time.sleep(0.02)
    raise Failure("the simulator did not say where it listens", LOG)
