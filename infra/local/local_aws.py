"""AWS in the local cloud: starts MiniStack, an emulator of AWS, waits for it, and creates one IAM user.

Signatures, IAM policies and TLS are enforced (`AUTH=true`, a real certificate), so a
permission that the template lacks is found here and not in production. MiniStack's
root key is used once, to create an IAM user. Everything else signs as that user. This
module does not know Dropcast's stack.
"""

from __future__ import annotations

import json
import shutil
import socket
import urllib.error

import tools
from aws import REGION, Caller, direct_opener, texts
from paths import CLOUD, HERE, LOGS, SCRATCH
from processes import Lifetime, Running, clean_environment, run, start, wait_until_ready
from progress import Failure

TLS = CLOUD / "tls"
CA_BUNDLE = TLS / "trust.pem"
LOG = LOGS / "ministack.log"
PERMISSION_LOG = LOGS / "permissions.log"
"""IAM's decisions about the functions' roles; ministack_permissions.py writes it."""
START_TIMEOUT_S = 30.0
IAM_VERSION = "2010-05-08"
USER = "dropcast-local"


def launch(lifetime: Lifetime) -> tuple[str, Running]:
    """Starts MiniStack on a free port and returns its endpoint. Call `wait_until_healthy` before using it."""
    for leftover in (SCRATCH, TLS):
        shutil.rmtree(leftover, ignore_errors=True)
    SCRATCH.mkdir(parents=True)
    PERMISSION_LOG.unlink(missing_ok=True)
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


def wait_until_healthy(endpoint: str, running: Running) -> None:
    """Waits until MiniStack answers.

    Raises `Failure` if it ends or does not answer within 30 s.
    """
    client = direct_opener(CA_BUNDLE)

    def is_healthy() -> bool | None:
        try:
            with client.open(f"{endpoint}/_ministack/health", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return None

    wait_until_ready(running, is_healthy, timeout_s=START_TIMEOUT_S, poll_s=0.03, log=LOG)


def make_user(endpoint: str) -> tuple[Caller, str]:
    """Creates the user that people, tests and tools sign as; returns it and its account's id.

    The user is an administrator. Only the functions' own roles are restricted.
    """
    root = Caller(endpoint, "test", "test", CA_BUNDLE)
    user = root.query("iam", IAM_VERSION, "CreateUser", UserName=USER)
    account_id = texts(user, "Arn")[0].split(":")[4]
    allow_all = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    root.query(
        "iam",
        IAM_VERSION,
        "PutUserPolicy",
        UserName=USER,
        PolicyName="administrator",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow_all]}),
    )
    key = root.query("iam", IAM_VERSION, "CreateAccessKey", UserName=USER)
    caller = Caller(endpoint, texts(key, "AccessKeyId")[0], texts(key, "SecretAccessKey")[0], CA_BUNDLE)
    return caller, account_id


def _environment(endpoint: str, port: int) -> dict[str, str]:
    """Returns MiniStack's environment. The functions inherit it, so it has none of the host's variables."""
    return {
        **clean_environment(SCRATCH),
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
        # For the functions: the address of AWS, and the certificates to trust.
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_CA_BUNDLE": str(CA_BUNDLE),
        "SSL_CERT_FILE": str(CA_BUNDLE),
        "LOG_LEVEL": "INFO",
        "DROPCAST_PERMISSIONS": str(PERMISSION_LOG),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
