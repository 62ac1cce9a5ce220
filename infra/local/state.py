"""What is known about the cloud of this checkout while it runs.

`cloud.json` is the contract with whoever uses the cloud, `running.json` is for
`up` and `down` alone, and `env` is for a person's shell. All are written whole
or not at all, readable by their owner only, and gone when the cloud is.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tools
from aws import REGION, Caller
from deploy import Outputs
from local_tiktok import TikTok
from paths import CLOUD, CLOUD_FILE, LOGS
from processes import Running
from progress import Failure, say

RUNNING_FILE = CLOUD / "running.json"
ENV_FILE = CLOUD / "env"


@dataclass(frozen=True)
class Cloud:
    """A running cloud."""

    caller: Caller
    account_id: str
    tiktok: TikTok
    outputs: Outputs
    processes: tuple[Running, ...]
    fingerprint: str
    """Of what was deployed last."""

    def alive(self) -> bool:
        """Whether all of its processes still run."""
        return all(process.alive() for process in self.processes)

    def stop(self) -> None:
        """Ends its processes, the newest first, and forgets it."""
        stop_all(self.processes)
        forget()


def stop_all(processes: tuple[Running, ...] | list[Running]) -> None:
    """Ends processes, the newest first."""
    for process in reversed(processes):
        process.stop()


def remember(cloud: Cloud) -> None:
    """Writes everything down."""
    caller, tiktok = cloud.caller, cloud.tiktok
    contract = {
        "endpoint": caller.endpoint,
        "region": REGION,
        "access_key_id": caller.access_key_id,
        "secret_access_key": caller.secret_access_key,
        "account_id": cloud.account_id,
        "trust": str(caller.trust),
        "simulator": tiktok.simulator,
        "client_key": tiktok.client_key,
        "outputs": cloud.outputs,
        "logs": str(LOGS),
        "aws_cli": str(tools.AWS),
    }
    own = {
        "processes": [process.record() for process in cloud.processes],
        "fingerprint": cloud.fingerprint,
        "tiktok": tiktok.__dict__,
    }
    exports = "".join(f"export {k}={shlex.quote(v)}\n" for k, v in environment(cloud).items())
    exports += "unset AWS_PROFILE AWS_SESSION_TOKEN\n"
    aws = f'export PATH={shlex.quote(str(tools.AWS.parent))}:"$PATH"\n'
    _write(RUNNING_FILE, json.dumps(own, indent=2))
    _write(CLOUD_FILE, json.dumps(contract, indent=2))
    _write(ENV_FILE, exports + aws)


def recall() -> Cloud | None:
    """The cloud that was left running; one that has died meanwhile is cleared away."""
    try:
        own = json.loads(RUNNING_FILE.read_text())
        contract = json.loads(CLOUD_FILE.read_text())
        processes = tuple(Running(**record) for record in own["processes"])
        key = (contract["access_key_id"], contract["secret_access_key"])
        cloud = Cloud(
            caller=Caller(contract["endpoint"], *key, Path(contract["trust"])),
            account_id=contract["account_id"],
            tiktok=TikTok(**own["tiktok"]),
            outputs=contract["outputs"],
            processes=processes,
            fingerprint=own["fingerprint"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if cloud.alive():
        return cloud
    cloud.stop()
    return None


def forget() -> None:
    """Removes what was written down."""
    for file in (CLOUD_FILE, RUNNING_FILE, ENV_FILE):
        file.unlink(missing_ok=True)


def environment(cloud: Cloud) -> dict[str, str]:
    """What a program needs to use the cloud: the contract, and AWS as if it were the only one."""
    return {
        "DROPCAST_CLOUD": str(CLOUD_FILE),
        "AWS_ENDPOINT_URL": cloud.caller.endpoint,
        "AWS_ACCESS_KEY_ID": cloud.caller.access_key_id,
        "AWS_SECRET_ACCESS_KEY": cloud.caller.secret_access_key,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CA_BUNDLE": str(cloud.caller.trust),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        # rustls and OpenSSL; it holds the system's roots as well.
        "SSL_CERT_FILE": str(cloud.caller.trust),
    }


@contextmanager
def alone(*, patient: bool = True) -> Iterator[None]:
    """Lets one command at a time start or stop the cloud of this checkout.

    Raises `Failure` when another one is at it and the caller would not wait.
    """
    CLOUD.mkdir(parents=True, exist_ok=True)
    with (CLOUD / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not patient:
                raise Failure("another command is using the cloud of this checkout") from None
            say("  waiting for another command that uses the cloud of this checkout")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
