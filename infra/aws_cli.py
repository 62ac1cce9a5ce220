"""AWS as an operator reaches it: by the AWS CLI, with its own credentials and region.

Works with either version of the CLI. Knows of the stack what it says of itself, and
how its API function is asked; not what an operator does.
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

AT_ONCE = 10
"""The most messages that SQS gives, or is told of, at once."""

HIDDEN_S = 60
"""How long a message that is being looked at is nobody else's."""


@dataclass(frozen=True)
class Answer:
    """What the API said to a request."""

    status: int
    body: dict[str, Any]

    @property
    def granted(self) -> bool:
        """Whether it did what it was asked."""
        return self.status < 300


class Aws:
    """The AWS CLI, and the stack that it is used on."""

    def __init__(self, program: str, stack: str) -> None:
        self.program = program
        self.stack = stack

    def call(self, *arguments: str) -> dict[str, Any]:
        """Makes one call; the CLI itself says what is wrong with it."""
        # In one region the CLI's first version goes to SQS's oldest address, whatever the environment says.
        elsewhere = os.environ.get("AWS_ENDPOINT_URL")
        place = ["--endpoint-url", elsewhere] if elsewhere else []
        done = subprocess.run(
            [self.program, *arguments, *place, "--output", "json"],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"aws {' '.join(arguments[:2])} failed")
        return json.loads(done.stdout or "{}")

    @cached_property
    def outputs(self) -> dict[str, str]:
        """What the stack says of itself."""
        stacks = self.call("cloudformation", "describe-stacks", "--stack-name", self.stack)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}

    def batches(self, queue: str) -> Iterator[list[dict[str, Any]]]:
        """The messages of a queue, until no more are seen; what is not deleted is seen again later."""
        while True:
            found = self.call(
                *("sqs", "receive-message", "--queue-url", queue, "--wait-time-seconds", "1"),
                *("--max-number-of-messages", str(AT_ONCE), "--visibility-timeout", str(HIDDEN_S)),
            ).get("Messages", [])
            if not found:
                return
            yield found

    def items(self, table: str, *more: str) -> Iterator[dict[str, Any]]:
        """Everything in a table."""
        yield from self.call("dynamodb", "scan", "--table-name", table, *more)["Items"]

    def ask(self, method: str, path: str, query: str = "", body: dict[str, Any] | None = None) -> Answer:
        """Asks the API as API Gateway does, past it: so it is alike whether callers sign or bring tokens.

        Whoever does that needs lambda:InvokeFunction.
        """
        event = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {"accept": "application/json", "content-type": "application/json"},
            "requestContext": {"http": {"method": method, "path": path}},
            "body": json.dumps(body) if body else None,
        }
        with tempfile.TemporaryDirectory() as folder:
            asked, said = Path(folder, "asked.json"), Path(folder, "said.json")
            asked.write_text(json.dumps(event))
            how = ("--function-name", self.outputs["ApiFunction"], "--payload", f"fileb://{asked}")
            if "FunctionError" in self.call("lambda", "invoke", *how, str(said)):
                raise SystemExit(f"the API failed: {said.read_text()}")
            answer = json.loads(said.read_text())
        return Answer(answer["statusCode"], json.loads(answer["body"]))
