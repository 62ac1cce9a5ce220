#!/usr/bin/env python3
"""What an operator does to a deployed stack that is more than one call of the AWS CLI.

    operate.py tell                           what lies where: messages by queue, posts by state
    operate.py requeue ID …                   try failed posts again
    operate.py requeue --code CODE            the same with all that failed for a reason; --account, --since
    operate.py park ALIAS                     hold what is taken up for an account from now on
    operate.py release ALIAS                  let it go
    operate.py redrive                        send the dead letters through the queue once more
    operate.py looks                          why looks at what is due failed; --discard removes them
    operate.py restore posts --at TIME        put back what was deleted from a table, as it was then
    operate.py restore posts --backup ARN     the same from a backup that was made on demand

Works with the AWS CLI's own credentials and region, on the stack `dropcast` or
`--stack NAME`. docs/runbook.md says when to use which. Nothing here writes over an
item: what is in a table is newer than what was restored.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from aws_cli import AT_ONCE, Aws

TABLES = {"posts": ("PostsTable", "id"), "accounts": ("AccountsTable", "alias")}
"""The tables that matter: the stack's output, and the key."""

QUEUES = ("IntakeQueueUrl", "DeadLetterQueueUrl", "StatusDlqUrl", "NoticesDlqUrl")
"""The stack's outputs that name a queue."""

SHOWN = 100
"""How many failed looks are shown at most: an outage leaves one a minute, all alike."""

PAGE = 100
"""How many posts the API is asked for at once."""

POLL_S = 5.0


def say(line: str) -> None:
    """Prints a line."""
    sys.stdout.write(f"{line}\n")


def tell(aws: Aws) -> int:
    """Says what lies where."""
    for name in QUEUES:
        attributes = aws.call(
            *("sqs", "get-queue-attributes", "--queue-url", aws.outputs[name]),
            *("--attribute-names", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"),
        )["Attributes"]
        say(f"{name}: {attributes}")
    states = Counter(item["state"]["S"] for item in aws.items(aws.outputs["PostsTable"]))
    say(f"posts: {dict(states.most_common())}")
    return 0


def requeue(aws: Aws, named: list[str], code: str | None, account: str | None, since: str | None) -> int:
    """Tries posts again: those that are named, or all that failed for a reason.

    One that may be posted all the same is refused by the API, and said to be so.
    """
    left = 0
    for post in named or _failed(aws, code, account, since):
        answer = aws.ask("POST", f"/posts/{post}/retry")
        said = answer.body["state"] if answer.granted else f"{answer.body['code']}: {answer.body['detail']}"
        say(f"  {post}  {said}")
        left += not answer.granted
    say(f"{left} of them could not be tried again" if left else "all of them are tried again")
    return 1 if left else 0


def _failed(aws: Aws, code: str | None, account: str | None, since: str | None) -> list[str]:
    """The ids of the posts that failed for this reason, the newest first."""
    asked = {"state": "failed", "limit": str(PAGE), "account": account, "since": since}
    found: list[str] = []
    while True:
        answer = aws.ask("GET", "/posts", urlencode({name: word for name, word in asked.items() if word}))
        if not answer.granted:
            raise SystemExit(answer.body["detail"])
        found += [post["id"] for post in answer.body["posts"] if post["failure"]["code"] == code]
        asked["cursor"] = answer.body.get("next_cursor")
        if not asked["cursor"]:
            return found


def review(aws: Aws, account: str, wanted: str | None) -> int:
    """Has each post of an account wait for an approval from now on, or no longer."""
    answer = aws.ask("PATCH", f"/accounts/{account}", body={"review": wanted})
    if not answer.granted:
        raise SystemExit(answer.body["detail"])
    say(f"{account} is parked: its posts are held" if wanted else f"{account} posts: what was held is let go")
    return 0


def redrive(aws: Aws) -> int:
    """Sends each dead letter to the intake queue, then removes it.

    What is cut off in between is there twice, which the posts table makes harmless.
    """
    letters, intake = aws.outputs["DeadLetterQueueUrl"], aws.outputs["IntakeQueueUrl"]
    moved = 0
    for found in aws.batches(letters):
        for letter in found:
            say(f"  {letter['MessageId']}  {letter['Body'][:100]}")
            aws.call("sqs", "send-message", "--queue-url", intake, "--message-body", letter["Body"])
            handle = letter["ReceiptHandle"]
            aws.call("sqs", "delete-message", "--queue-url", letters, "--receipt-handle", handle)
            moved += 1
    say(f"{moved} dead letters are in the queue again")
    return 0


def looks(aws: Aws, *, discard: bool) -> int:
    """Shows why looks failed, and removes them where that is wanted.

    None is repeated: the next look saw the same posts.
    """
    queue = aws.outputs["StatusDlqUrl"]
    seen: list[dict[str, Any]] = []
    for found in aws.batches(queue):
        for message in found:
            say(f"  {_reason(json.loads(message['Body']))}")
        seen += found
        if discard:
            aws.call("sqs", "delete-message-batch", "--queue-url", queue, *_entries(found))
        elif len(seen) >= SHOWN:
            break
    for first in range(0, 0 if discard else len(seen), AT_ONCE):
        back = _entries(seen[first : first + AT_ONCE], VisibilityTimeout=0)
        aws.call("sqs", "change-message-visibility-batch", "--queue-url", queue, *back)
    say(f"{len(seen)} looks failed{', and are forgotten' if discard else ''}")
    return 0


def _reason(record: dict[str, Any]) -> str:
    """When a look failed, in which invocation, how it was given up, and with which error.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    context, error = record["requestContext"], (record.get("responsePayload") or {}).get("errorMessage")
    facts = (record.get("timestamp"), context.get("requestId"), context["condition"], error)
    return "  ".join(fact for fact in facts if fact)


def _entries(messages: list[dict[str, Any]], **more: int) -> tuple[str, str]:
    """What says to the AWS CLI which messages are meant."""
    meant = [{"Id": one["MessageId"], "ReceiptHandle": one["ReceiptHandle"], **more} for one in messages]
    return "--entries", json.dumps(meant)


def restore(aws: Aws, table: str, at: str | None, backup: str | None) -> int:
    """Restores a table beside the one that is used, and copies what is missing there."""
    output, key = TABLES[table]
    used = aws.outputs[output]
    beside = f"{used}-restored-{int(time.time())}"[-255:]
    if backup:
        how = ("restore-table-from-backup", "--backup-arn", backup)
    else:
        how = ("restore-table-to-point-in-time", "--source-table-name", used, "--restore-date-time", str(at))
    aws.call("dynamodb", *how, "--target-table-name", beside)
    say(f"restoring into {beside}; a large table takes an hour")
    while aws.call("dynamodb", "describe-table", "--table-name", beside)["Table"]["TableStatus"] != "ACTIVE":
        time.sleep(POLL_S)
    missing = list(_missing(aws, key, used, beside))
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


def _missing(aws: Aws, key: str, used: str, beside: str) -> Iterator[dict[str, Any]]:
    """What is in the table beside, and not in the one that is used."""
    there = {json.dumps(item[key]) for item in aws.items(used, "--consistent-read")}
    return (item for item in aws.items(beside) if json.dumps(item[key]) not in there)


def commands() -> argparse.ArgumentParser:
    """What can be said on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stack", default="dropcast", help="the stack's name")
    parser.add_argument("--aws", default="aws", help="the AWS CLI")
    known = parser.add_subparsers(dest="command", required=True)
    known.add_parser("tell").set_defaults(run=lambda aws, _: tell(aws))
    known.add_parser("redrive").set_defaults(run=lambda aws, _: redrive(aws))
    one = known.add_parser("looks")
    one.add_argument("--discard", action="store_true", help="remove what is shown")
    one.set_defaults(run=lambda aws, asked: looks(aws, discard=asked.discard))
    one = known.add_parser("requeue")
    which = one.add_mutually_exclusive_group(required=True)
    which.add_argument("posts", nargs="*", default=[], metavar="ID")
    which.add_argument("--code", help="the failures' code, as options_invalid")
    one.add_argument("--account", metavar="ALIAS", help="of this account alone")
    one.add_argument("--since", metavar="TIME", help="created since then, as 2026-12-24T00:00:00Z")
    one.set_defaults(run=lambda aws, of: requeue(aws, of.posts, of.code, of.account, of.since))
    for command, wanted in (("park", "required"), ("release", None)):
        one = known.add_parser(command)
        one.add_argument("account", metavar="ALIAS")
        one.set_defaults(run=lambda aws, asked, wanted=wanted: review(aws, asked.account, wanted))
    one = known.add_parser("restore")
    one.add_argument("table", choices=sorted(TABLES))
    when = one.add_mutually_exclusive_group(required=True)
    when.add_argument("--at", metavar="TIME", help="a moment before the loss, as 2026-12-24T17:00:00Z")
    when.add_argument("--backup", metavar="ARN", help="a backup that was made on demand")
    one.set_defaults(run=lambda aws, asked: restore(aws, asked.table, asked.at, asked.backup))
    return parser


def main() -> int:
    """Reads the command line."""
    asked = commands().parse_args()
    return asked.run(Aws(asked.aws, asked.stack), asked)


if __name__ == "__main__":
    sys.exit(main())
