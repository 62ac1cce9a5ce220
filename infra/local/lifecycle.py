"""Starts a cloud in the right order, and never half of one.

What does not depend on each other happens at the same time: MiniStack starts
while Cargo builds. Whatever fails or interrupts on the way, what was already
started is stopped. Signals become exceptions here, so that `finally` is enough.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import deploy
import local_aws
import local_tiktok
import state
import tools
from build import build, fingerprint
from processes import Lifetime, Running
from progress import say, step
from state import Cloud

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody wants us to end."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.exit_code = 128 + signum


def heed_signals() -> None:
    """Turns the signals that mean "end" into `Interrupted`, once; later ones are ignored."""

    def interrupt(signum: int, _: FrameType | None) -> None:
        for one in SIGNALS:
            signal.signal(one, signal.SIG_IGN)
        raise Interrupted(signum)

    for one in SIGNALS:
        if signal.getsignal(one) is not signal.SIG_IGN:  # as nohup wants it
            signal.signal(one, interrupt)


def start(lifetime: Lifetime) -> Cloud:
    """Builds, starts and deploys everything.

    Raises `Failure`, with nothing left running.
    """
    started: list[Running] = []
    try:
        with step("tools are there"):
            tools.ensure()
        endpoint, ministack = local_aws.launch(lifetime)
        started.append(ministack)
        with step("built the functions"):
            build()
        with step("MiniStack plays AWS") as remarks:
            local_aws.wait_until_ready(endpoint, ministack)
            caller, account_id = local_aws.make_user(endpoint)
            caller.make_bucket(deploy.ARTIFACTS)
            remarks.append(endpoint)
        tiktok = local_tiktok.elsewhere()
        if tiktok:
            say(f"            {tiktok.api_url} plays TikTok")
        else:
            with step("our simulator plays TikTok") as remarks:
                addresses = local_tiktok.Addresses(
                    redirect=deploy.redirect_url(endpoint), webhook=deploy.webhook_url(endpoint)
                )
                tiktok, simulator = local_tiktok.simulate(lifetime, addresses, caller.trust)
                started.append(simulator)
                remarks.append(tiktok.api_url)
        with step("sam deploy") as remarks:
            outputs = deploy.deploy(caller, tiktok)
            remarks.append(outputs["IntakeBucket"])
        cloud = Cloud(caller, account_id, tiktok, outputs, tuple(started), fingerprint())
        state.remember(cloud)
        return cloud
    except BaseException:
        state.stop_all(started)
        state.forget()
        raise


def refresh(cloud: Cloud) -> Cloud:
    """Brings a running cloud up to date with the checkout."""
    say(f"  a cloud is already up: {cloud.caller.endpoint}")
    with step("built the functions"):
        build()
    if fingerprint() == cloud.fingerprint:
        return cloud
    with step("sam deploy, since something has changed"):
        outputs = deploy.deploy(cloud.caller, cloud.tiktok)
    updated = Cloud(cloud.caller, cloud.account_id, cloud.tiktok, outputs, cloud.processes, fingerprint())
    state.remember(updated)
    return updated


@contextmanager
def cloud_for_one_run() -> Iterator[Cloud]:
    """The cloud that is up already, or one that lives as long as the block."""
    with state.alone():
        found = state.recall()
        if found is None:
            cloud = start(Lifetime.WITH_US)
            try:
                yield cloud
            finally:
                for one in SIGNALS:
                    signal.signal(one, signal.SIG_IGN)
                cloud.stop()
            return
        cloud = refresh(found)
    yield cloud
