#!/usr/bin/env python3
"""What an operator does to a deployed stack that is more than one call of the AWS CLI.

    operate.py redrive                        send the dead letters through the queue once more
    operate.py restore posts --at TIME        put back what was deleted from a table, as it was then
    operate.py restore posts --backup ARN     the same from a backup that was made on demand
    operate.py tell                           what lies where: queue, dead letters, posts by state

Works with the AWS CLI's own credentials and region, on the stack `dropcast` or
`--stack NAME`. docs/runbook.md says when to use which. Nothing here writes over an
item: what is in a table is newer than what was restored.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

TABLES = {"posts": ("PostsTable", "id"), "accounts": ("AccountsTable", "alias")}
"""The tables that matter: the stack's output, and the key."""

AT_ONCE = 10
"""The most messages that SQS gives at once."""

HIDDEN_S = 60
"""How long a letter that is being moved is nobody else's."""

POLL_S = 5.0


class Aws:
    """The AWS CLI."""

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

    def outputs(self) -> dict[str, str]:
        """What the stack says of itself."""
        stacks = self.call("cloudformation", "describe-stacks", "--stack-name", self.stack)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}

    def items(self, table: str, *more: str) -> Iterator[dict[str, Any]]:
        """Everything in a table."""
        yield from self.call("dynamodb", "scan", "--table-name", table, *more)["Items"]


def say(line: str) -> None:
    """Prints a line."""
    sys.stdout.write(f"{line}\n")


def redrive(aws: Aws) -> int:
    """Sends each dead letter to the intake queue, then removes it.

    What is cut off in between is there twice, which the posts table makes harmless.
    """
    outputs = aws.outputs()
    letters, intake = outputs["DeadLetterQueueUrl"], outputs["IntakeQueueUrl"]
    moved = 0
    while True:
        found = aws.call(
            *("sqs", "receive-message", "--queue-url", letters, "--wait-time-seconds", "1"),
            *("--max-number-of-messages", str(AT_ONCE), "--visibility-timeout", str(HIDDEN_S)),
        ).get("Messages", [])
        if not found:
            say(f"{moved} dead letters are in the queue again")
            return 0
        for letter in found:
            say(f"  {letter['MessageId']}  {letter['Body'][:100]}")
            aws.call("sqs", "send-message", "--queue-url", intake, "--message-body", letter["Body"])
            handle = letter["ReceiptHandle"]
            aws.call("sqs", "delete-message", "--queue-url", letters, "--receipt-handle", handle)
            moved += 1


def restore(aws: Aws, table: str, at: str | None, backup: str | None) -> int:
    """Restores a table beside the one that is used, and copies what is missing there."""
    output, key = TABLES[table]
    used = aws.outputs()[output]
    beside = f"{used}-restored-{int(time.time())}"[-255:]
    if backup:
        how = ("restore-table-from-backup", "--backup-arn", backup)
    else:
        how = ("restore-table-to-point-in-time", "--source-table-name", used, "--restore-date-time", str(at))
    aws.call("dynamodb", *how, "--target-table-name", beside)
    say(f"restoring into {beside}; a large table takes an hour")
    while aws.call("dynamodb", "describe-table", "--table-name", beside)["Table"]["TableStatus"] != "ACTIVE":
        time.sleep(POLL_S)
    there = {json.dumps(item[key]) for item in aws.items(used, "--consistent-read")}
    missing = [item for item in aws.items(beside) if json.dumps(item[key]) not in there]
    for item in missing:
        aws.call(
            *("dynamodb", "put-item", "--table-name", used, "--item", json.dumps(item)),
            *("--condition-expression", "attribute_not_exists(#key)"),
            *("--expression-attribute-names", json.dumps({"#key": key})),
        )
        say(f"  {next(iter(item[key].values()))}")
    say(f"{len(missing)} are in {used} again. When all is well:")
    say(f"  aws dynamodb delete-table --table-name {beside}")
    return 0


def tell(aws: Aws) -> int:
    """Says what lies where."""
    outputs = aws.outputs()
    for name in ("IntakeQueueUrl", "DeadLetterQueueUrl"):
        attributes = aws.call(
            *("sqs", "get-queue-attributes", "--queue-url", outputs[name]),
            *("--attribute-names", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"),
        )["Attributes"]
        say(f"{name}: {attributes}")
    states = Counter(item["state"]["S"] for item in aws.items(outputs["PostsTable"]))
    say(f"posts: {dict(states.most_common())}")
    return 0


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stack", default="dropcast", help="the stack's name")
    parser.add_argument("--aws", default="aws", help="the AWS CLI")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("redrive")
    commands.add_parser("tell")
    restoring = commands.add_parser("restore")
    restoring.add_argument("table", choices=sorted(TABLES))
    when = restoring.add_mutually_exclusive_group(required=True)
    when.add_argument("--at", metavar="TIME", help="a moment before the loss, as 2026-12-24T17:00:00Z")
    when.add_argument("--backup", metavar="ARN", help="a backup that was made on demand")
    asked = parser.parse_args()
    aws = Aws(asked.aws, asked.stack)
    if asked.command == "restore":
        return restore(aws, asked.table, asked.at, asked.backup)
    return redrive(aws) if asked.command == "redrive" else tell(aws)


if __name__ == "__main__":
    sys.exit(main())
