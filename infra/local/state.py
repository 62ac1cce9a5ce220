"""The running cloud of this checkout, as recorded in files under target/cloud.

- `cloud.json` is the interface for programs that use the cloud; README.md lists its fields.
- `running.json` has the processes and what else the next `cloud.py` command needs. Nothing else reads it.
- `env` has shell variables; a person sources it.

Each file is replaced atomically, is readable by its owner only, and is deleted when the cloud stops.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
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
    """`build.fingerprint` at the last deployment."""

    def alive(self) -> bool:
        """Returns whether all processes of the cloud still run."""
        return all(process.alive() for process in self.processes)

    def stop(self) -> None:
        """Stops the processes, newest first, and deletes the state files."""
        stop_all(self.processes)
        clear()


def stop_all(processes: tuple[Running, ...] | list[Running]) -> None:
    """Stops processes, newest first."""
    for process in reversed(processes):
        process.stop()


def save(cloud: Cloud) -> None:
    """Writes the state files of a running cloud."""
    caller, tiktok = cloud.caller, cloud.tiktok
    interface = {
        "endpoint": caller.endpoint,
        "region": REGION,
        "access_key_id": caller.access_key_id,
        "secret_access_key": caller.secret_access_key,
        "account_id": cloud.account_id,
        "trust": str(caller.ca_bundle),
        "simulator": tiktok.simulator,
        "client_key": tiktok.client_key,
        "outputs": cloud.outputs,
        "logs": str(LOGS),
        "aws_cli": str(tools.AWS),
    }
    running = {
        "processes": [process.record() for process in cloud.processes],
        "fingerprint": cloud.fingerprint,
        "tiktok": asdict(tiktok),
    }
    exports = "".join(f"export {k}={shlex.quote(v)}\n" for k, v in environment(cloud).items())
    exports += "unset AWS_PROFILE AWS_SESSION_TOKEN\n"
    path = f'export PATH={shlex.quote(str(tools.AWS.parent))}:"$PATH"\n'
    _write(RUNNING_FILE, json.dumps(running, indent=2))
    _write(CLOUD_FILE, json.dumps(interface, indent=2))
    _write(ENV_FILE, exports + path)


def load() -> Cloud | None:
    """Returns the running cloud, or None. If one of its processes has died, it is stopped first."""
    try:
        running = json.loads(RUNNING_FILE.read_text())
        interface = json.loads(CLOUD_FILE.read_text())
        key = (interface["access_key_id"], interface["secret_access_key"])
        cloud = Cloud(
            caller=Caller(interface["endpoint"], *key, Path(interface["trust"])),
            account_id=interface["account_id"],
            tiktok=TikTok(**running["tiktok"]),
            outputs=interface["outputs"],
            processes=tuple(Running(**record) for record in running["processes"]),
            fingerprint=running["fingerprint"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if cloud.alive():
        return cloud
    cloud.stop()
    return None


def clear() -> None:
    """Deletes the state files."""
    for file in (CLOUD_FILE, RUNNING_FILE, ENV_FILE):
        file.unlink(missing_ok=True)


def environment(cloud: Cloud) -> dict[str, str]:
    """Returns the variables for a program that uses the cloud: `DROPCAST_CLOUD` and AWS settings."""
    return {
        "DROPCAST_CLOUD": str(CLOUD_FILE),
        "AWS_ENDPOINT_URL": cloud.caller.endpoint,
        "AWS_ACCESS_KEY_ID": cloud.caller.access_key_id,
        "AWS_SECRET_ACCESS_KEY": cloud.caller.secret_access_key,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CA_BUNDLE": str(cloud.caller.ca_bundle),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        # rustls and OpenSSL read this variable. The file also contains the system's root certificates.
        "SSL_CERT_FILE": str(cloud.caller.ca_bundle),
    }


@contextmanager
def exclusive(*, wait: bool = True) -> Iterator[None]:
    """Locks the cloud of this checkout, so that one command at a time starts or stops it.

    With `wait=False`, raises `Failure` if another command has the lock.
    """
    CLOUD.mkdir(parents=True, exist_ok=True)
    with (CLOUD / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
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
