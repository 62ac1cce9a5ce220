"""AWS, played by MiniStack: started, waited for, and given one user.

Signatures, IAM policies and TLS are enforced (`AUTH=true`, a real certificate),
so a missing permission shows here and not in production. MiniStack's root key
is used once, to make the user that everything else signs as. Knows nothing of
Dropcast's stack.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request

import tools
from aws import REGION, Caller, texts
from paths import CLOUD, HERE, LOGS, SCRATCH
from processes import Lifetime, Running, run, start
from progress import Failure

TLS = CLOUD / "tls"
TRUST = TLS / "trust.pem"
LOG = LOGS / "ministack.log"
PERMISSIONS = LOGS / "permissions.log"
"""What the functions' roles were allowed and refused; see ministack_permissions.py."""
PATIENCE_S = 30.0
IAM_VERSION = "2010-05-08"
USER = "dropcast-local"


def launch(lifetime: Lifetime) -> tuple[str, Running]:
    """Starts MiniStack on a free port; returns its endpoint, which may not answer yet."""
    for stale in (SCRATCH, TLS):
        shutil.rmtree(stale, ignore_errors=True)
    SCRATCH.mkdir(parents=True)
    PERMISSIONS.unlink(missing_ok=True)
    if run([tools.MINISTACK_PYTHON, HERE / "certificate.py", TLS], cwd=HERE, log=LOG) != 0:
        raise Failure("making the certificate", LOG)
    port = _free_port()
    endpoint = f"https://127.0.0.1:{port}"
    running = start(
        "MiniStack",
        [tools.MINISTACK_PYTHON, HERE / "ministack_server.py", TLS, str(port)],
        env=_environment(endpoint, port),
        log=LOG,
        lifetime=lifetime,
        cwd=SCRATCH,
    )
    return endpoint, running


def wait_until_ready(endpoint: str, running: Running) -> None:
    """Returns as soon as MiniStack answers.

    Raises `Failure` when it has ended or takes too long.
    """
    trust = ssl.create_default_context(cafile=str(TRUST))
    direct = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
    )
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            with direct.open(f"{endpoint}/_ministack/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if not running.alive():
                raise Failure("MiniStack ended while starting", LOG) from None
            time.sleep(0.03)
    raise Failure("MiniStack did not answer in time", LOG)


def make_user(endpoint: str) -> tuple[Caller, str]:
    """Makes the user that people, tests and tools sign as; returns it and its account's id.

    It is an administrator of this cloud: what is restricted, and tested to be,
    are the functions' own roles.
    """
    root = Caller(endpoint, "test", "test", TRUST)
    user = root.query("iam", IAM_VERSION, "CreateUser", UserName=USER)
    account_id = texts(user, "Arn")[0].split(":")[4]
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    root.query(
        "iam",
        IAM_VERSION,
        "PutUserPolicy",
        UserName=USER,
        PolicyName="administrator",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    key = root.query("iam", IAM_VERSION, "CreateAccessKey", UserName=USER)
    caller = Caller(endpoint, texts(key, "AccessKeyId")[0], texts(key, "SecretAccessKey")[0], TRUST)
    return caller, account_id


def _environment(endpoint: str, port: int) -> dict[str, str]:
    """All that MiniStack sees; its functions inherit it, so nothing of the host's is in it."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(SCRATCH),
        "TMPDIR": str(SCRATCH),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": str(TLS / "server.pem"),
        "MINISTACK_SSL_KEY": str(TLS / "server.key"),
        "MINISTACK_REGION": REGION,
        "MINISTACK_HOST": "127.0.0.1",
        "AUTH": "true",
        "LAMBDA_EXECUTOR": "local",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "NO_PROXY": "127.0.0.1,localhost",
        # What the functions get: where AWS is, and whose certificates to trust.
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_CA_BUNDLE": str(TRUST),
        "SSL_CERT_FILE": str(TRUST),
        "LOG_LEVEL": "INFO",
        "DROPCAST_PERMISSIONS": str(PERMISSIONS),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
