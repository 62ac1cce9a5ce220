"""Checks the running HTTP API against its OpenAPI document, with signed requests through API Gateway.

Schemathesis generates the requests: the document's examples, values at the limits of
every schema, and random ones from a fixed seed. No response may be a 5xx, and each
must match the document. contract_hooks.py signs the requests.
"""

from __future__ import annotations

import lifecycle
import tools
from paths import HERE, LOGS, REPO
from processes import clean_environment, run
from progress import Failure, step
from state import Cloud, environment

DOCUMENT = REPO / "functions" / "api" / "openapi.json"
LOG = LOGS / "contract.log"
ACCOUNT = "anna"
"""The account that the document's examples name."""

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def check(cloud: Cloud) -> None:
    """Calls every operation of the document; raises `Failure` with the log if a response breaks a check."""
    lifecycle.connect_account(cloud, ACCOUNT)
    env = {
        **clean_environment(LOGS.parent),
        **environment(cloud),
        "SCHEMATHESIS_HOOKS": "contract_hooks",
        "PYTHONPATH": str(HERE),
        # Hypothesis iterates over sets, so the seed gives the same requests only with the same string hashes.
        "PYTHONHASHSEED": "1",
    }
    command = [str(tools.SCHEMATHESIS), "run", str(DOCUMENT), "--url", cloud.outputs["ApiUrl"]]
    command += ["--tls-verify", str(cloud.caller.ca_bundle), "--checks", ",".join(CHECKS)]
    command += ["--phases", "examples,coverage,fuzzing", "--max-examples", "8", "--seed", "1", "--no-shrink"]
    # One worker, because Hypothesis in several threads miscounts Python 3.11's recursion depth.
    command += ["--workers", "1", "--max-redirects", "0", "--continue-on-failure", "--warnings", "off"]
    with step("checked the API against its contract"):
        if run(command, env=env, cwd=LOGS.parent, log=LOG) != 0:
            raise Failure("checking the API against its contract", LOG)
