"""TikTok in the local cloud: our simulator, or another stand-in that TIKTOK_API_URL names.

The functions see no difference between these and TikTok itself: they get an API URL,
upload hosts and credentials. This module does not know AWS.
"""

from __future__ import annotations

import os
import re
import secrets
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from build import copy_binary
from paths import CLOUD, LOGS
from processes import Lifetime, Running, start, wait_until_ready

LOG = LOGS / "simulator.log"
CLIENT_KEY = "local-client-key"
START_TIMEOUT_S = 15.0
LISTENING = re.compile(r"listening on (http://127\.0\.0\.1:\d+)")
"""The line that the simulator logs when it is ready. It must match tests/simulator."""


@dataclass(frozen=True)
class TikTok:
    """Where the functions reach TikTok, and the app's credentials there."""

    api_url: str
    upload_hosts: str
    client_key: str
    client_secret: str
    simulator: str | None
    """The simulator's URL; None if another stand-in is used."""


def external() -> TikTok | None:
    """Returns the stand-in that TIKTOK_API_URL names, or None if that variable is empty.

    TIKTOK_UPLOAD_HOSTS defaults to the host of that URL. TIKTOK_CLIENT_KEY and
    TIKTOK_CLIENT_SECRET default to an empty text.
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
class RegisteredUrls:
    """The URLs that a developer registers for an app in TikTok's portal."""

    redirect: str
    webhook: str


def start_simulator(lifetime: Lifetime, urls: RegisteredUrls, ca_bundle: Path) -> tuple[TikTok, Running]:
    """Starts the simulator on a free port and waits until it listens.

    The URLs are registered for the app as for a web app. `ca_bundle` has the certificate
    authority of MiniStack, to which the simulator sends webhooks.
    """
    client_secret = secrets.token_urlsafe(24)
    running = start(
        "the simulator",
        [
            copy_binary("simulator"),
            *("--listen", "127.0.0.1:0", "--client-key", CLIENT_KEY),
            *("--redirect-uri", urls.redirect, "--loopback-redirects", "web"),
            *("--webhook-url", urls.webhook),
        ],
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "SIMULATOR_CLIENT_SECRET": client_secret,
            "SSL_CERT_FILE": str(ca_bundle),
            "NO_PROXY": "127.0.0.1",
            "RUST_BACKTRACE": "1",
        },
        log=LOG,
        lifetime=lifetime,
        cwd=CLOUD,
    )
    try:
        url = wait_until_ready(running, _logged_url, timeout_s=START_TIMEOUT_S, poll_s=0.02, log=LOG)
    except BaseException:  # the caller does not know this process yet, so it is stopped here
        running.stop()
        raise
    host = urllib.parse.urlsplit(url).netloc
    return TikTok(url, host, CLIENT_KEY, client_secret, url), running


def _logged_url() -> str | None:
    found = LISTENING.search(LOG.read_text(errors="replace"))
    return found.group(1) if found else None
