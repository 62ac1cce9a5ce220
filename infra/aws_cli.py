"""AWS calls of `operate.py`, made with the AWS CLI and its credentials and region.

Works with version 1 and version 2 of the CLI. This module reads the stack's outputs and invokes
functions. The operator's commands are in `operate.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

SQS_BATCH = 10
"""SQS's maximum number of messages for one call."""

VISIBILITY_TIMEOUT_S = 60
"""How long a received message is hidden from other readers, in seconds."""


@dataclass(frozen=True)
class Response:
    """A response of Dropcast's HTTP API."""

    status: int
    body: dict[str, Any]

    @property
    def is_success(self) -> bool:
        """Whether the status is below 300: the API did what was requested."""
        return self.status < 300


class Aws:
    """The AWS CLI, used on one stack."""

    def __init__(self, program: str, stack: str) -> None:
        self.program = program
        self.stack = stack

    def call(self, *arguments: str) -> dict[str, Any]:
        """Runs one AWS CLI command and returns its JSON output.

        If the command fails, the CLI has printed why, and this program exits.
        """
        # An explicit option, because version 1 of the CLI ignores AWS_ENDPOINT_URL for SQS in us-east-1.
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        endpoint_option = ["--endpoint-url", endpoint] if endpoint else []
        done = subprocess.run(
            [self.program, *arguments, *endpoint_option, "--output", "json"],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"aws {' '.join(arguments[:2])} failed")
        return json.loads(done.stdout or "{}")

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs by name."""
        stacks = self.call("cloudformation", "describe-stacks", "--stack-name", self.stack)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}

    def batches(self, queue: str) -> Iterator[list[dict[str, Any]]]:
        """Yields the messages of a queue in batches until none is received.

        A message that the caller does not delete becomes visible again after 60 s.
        """
        while True:
            messages = self.call(
                *("sqs", "receive-message", "--queue-url", queue, "--wait-time-seconds", "1"),
                *("--max-number-of-messages", str(SQS_BATCH)),
                *("--visibility-timeout", str(VISIBILITY_TIMEOUT_S)),
            ).get("Messages", [])
            if not messages:
                return
            yield messages

    def items(self, table: str, *options: str) -> Iterator[dict[str, Any]]:
        """Yields every item of a table, in DynamoDB's JSON."""
        yield from self.call("dynamodb", "scan", "--table-name", table, *options)["Items"]

    def request(
        self, method: str, path: str, query: str = "", body: dict[str, Any] | None = None
    ) -> Response:
        """Sends a request to the API by invoking its function with an event of API Gateway.

        This bypasses API Gateway and its authorization, so it works whether the API's callers sign
        requests or use tokens. The operator needs lambda:InvokeFunction.
        """
        event = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {"accept": "application/json", "content-type": "application/json"},
            "requestContext": {"http": {"method": method, "path": path}},
            "body": json.dumps(body) if body else None,
        }
        result = self.invoke("ApiFunction", event)
        return Response(result["statusCode"], json.loads(result["body"]))

    def invoke(self, output: str, event: dict[str, Any]) -> dict[str, Any]:
        """Invokes the function that an output of the stack names, and returns its response.

        If the function fails, this program prints its error and exits.
        """
        with tempfile.TemporaryDirectory() as folder:
            request, response = Path(folder, "request.json"), Path(folder, "response.json")
            request.write_text(json.dumps(event))
            options = ("--function-name", self.outputs[output], "--payload", f"fileb://{request}")
            if "FunctionError" in self.call("lambda", "invoke", *options, str(response)):
                raise SystemExit(f"{output} failed: {response.read_text()}")
            return json.loads(response.read_text())
