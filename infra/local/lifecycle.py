"""Starts, updates and stops the cloud: MiniStack, TikTok's simulator and the deployed stack.

MiniStack starts while Cargo builds. If a step fails or a signal arrives, every process
that was started is stopped: `raise_on_signals` turns signals into exceptions, so that
`finally` blocks run.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import deploy
import local_aws
import local_tiktok
import processes
import state
import tools
from build import binary, build, fingerprint
from paths import LOGS, REPO
from processes import Lifetime, Running
from progress import Failure, say, step
from state import Cloud

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked this command to end."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.exit_code = 128 + signum


def raise_on_signals() -> None:
    """Makes the first SIGINT, SIGTERM or SIGHUP raise `Interrupted`; later ones are ignored."""

    def interrupt(signum: int, _: FrameType | None) -> None:
        _ignore_signals()
        raise Interrupted(signum)

    for signum in SIGNALS:
        if signal.getsignal(signum) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(signum, interrupt)


def start(lifetime: Lifetime) -> Cloud:
    """Builds the functions, starts MiniStack and TikTok, and deploys the stack.

    If a step fails, stops what was started and raises `Failure`.
    """
    started: list[Running] = []
    try:
        with step("tools are there"):
            tools.ensure()
        endpoint, ministack = local_aws.launch(lifetime)
        started.append(ministack)
        with step("built the functions"):
            build()
        with step("started MiniStack in place of AWS") as remarks:
            local_aws.wait_until_healthy(endpoint, ministack)
            caller, account_id = local_aws.make_user(endpoint)
            caller.make_bucket(deploy.ARTIFACTS)
            remarks.append(endpoint)
        tiktok = local_tiktok.external()
        if tiktok:
            say(f"            {tiktok.api_url} is used in place of TikTok")
        else:
            with step("started our simulator in place of TikTok") as remarks:
                urls = local_tiktok.RegisteredUrls(
                    redirect=deploy.redirect_url(endpoint), webhook=deploy.webhook_url(endpoint)
                )
                tiktok, simulator = local_tiktok.start_simulator(lifetime, urls, caller.ca_bundle)
                started.append(simulator)
                remarks.append(tiktok.api_url)
        with step("sam deploy") as remarks:
            outputs = deploy.deploy(caller, tiktok)
            remarks.append(outputs["IntakeBucket"])
        cloud = Cloud(caller, account_id, tiktok, outputs, tuple(started), fingerprint())
        state.save(cloud)
        return cloud
    except BaseException:
        state.stop_all(started)
        state.clear()
        raise


def update(cloud: Cloud) -> Cloud:
    """Builds the functions, and deploys into a running cloud if the template or a function has changed."""
    say(f"  a cloud is already up: {cloud.caller.endpoint}")
    with step("built the functions"):
        build()
    if fingerprint() == cloud.fingerprint:
        return cloud
    with step("sam deploy, because the template or a function has changed"):
        outputs = deploy.deploy(cloud.caller, cloud.tiktok)
    updated = Cloud(cloud.caller, cloud.account_id, cloud.tiktok, outputs, cloud.processes, fingerprint())
    state.save(updated)
    return updated


@contextmanager
def cloud_for_one_run() -> Iterator[Cloud]:
    """Yields the cloud that is up, after an update, or a new one that is stopped when the block ends."""
    with state.exclusive():
        running = state.load()
        if running is None:
            # The lock is held until this cloud is stopped.
            cloud = start(Lifetime.THIS_COMMAND)
            try:
                yield cloud
            finally:
                _ignore_signals()
                cloud.stop()
            return
        cloud = update(running)
    yield cloud


def connect_account(cloud: Cloud, alias: str) -> None:
    """Connects an account of the simulator under this alias, with the program tests/src/bin/connect.rs."""
    log = LOGS / "connect.log"
    env = {**processes.clean_environment(LOGS.parent), **state.environment(cloud)}
    with step(f"connected the account {alias}"):
        if processes.run([binary("connect"), alias], env=env, cwd=REPO, log=log) != 0:
            raise Failure(f"connecting the account {alias}", log)


def _ignore_signals() -> None:
    for signum in SIGNALS:
        signal.signal(signum, signal.SIG_IGN)
