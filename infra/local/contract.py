"""Holds the running API against its contract, through the gateway, signed.

Schemathesis makes requests of the OpenAPI document: its examples, the edges of
every schema, and what comes of chance with a seed that stays the same. Whatever
is answered must not be a 5xx, and be what the document says.
"""

from __future__ import annotations

import tools
from build import binary
from paths import HERE, LOGS, REPO
from processes import run
from progress import Failure, step
from state import Cloud, environment

DOCUMENT = REPO / "functions" / "api" / "openapi.json"
LOG = LOGS / "contract.log"
ACCOUNT = "anna"
"""Of the document's examples."""

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def hold(cloud: Cloud) -> None:
    """Calls every operation of the contract; raises `Failure` with the log where an answer breaks it."""
    # Hypothesis walks sets, so the same seed needs the same hashes to make the same requests.
    hooks = {"SCHEMATHESIS_HOOKS": "contract_hooks", "PYTHONPATH": str(HERE), "PYTHONHASHSEED": "1"}
    env = {**environment(cloud), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(LOGS.parent)}
    with step(f"connected the account {ACCOUNT}"):
        if run([str(binary("connect")), ACCOUNT], env=env, cwd=REPO, log=LOG) != 0:
            raise Failure(f"connecting the account {ACCOUNT}", LOG)
    command = [str(tools.SCHEMATHESIS), "run", str(DOCUMENT), "--url", cloud.outputs["ApiUrl"]]
    command += ["--tls-verify", str(cloud.caller.trust), "--checks", ",".join(CHECKS)]
    command += ["--phases", "examples,coverage,fuzzing", "--max-examples", "8", "--seed", "1", "--no-shrink"]
    # One worker: Python 3.11 loses count of its own recursion in several threads of Hypothesis.
    command += ["--workers", "1", "--max-redirects", "0", "--continue-on-failure", "--warnings", "off"]
    with step("held the API against its contract"):
        if run(command, env={**env, **hooks}, cwd=LOGS.parent, log=LOG) != 0:
            raise Failure("holding the API against its contract", LOG)
