#!/usr/bin/env python3
"""Operates a deployed stack: the tasks that need more than one AWS CLI call.

    operate.py summary                        messages in each queue, posts in each state
    operate.py retry ID …                     retry failed posts
    operate.py retry --code CODE              retry all posts with a failure code; --account, --since
    operate.py hold ALIAS                     hold an account's posts for review from now on
    operate.py release ALIAS                  release the held posts and end the review
    operate.py redrive                        send dead letters to the intake queue again
    operate.py republish                      publish the events of stream records in the queue NoticesDlqUrl
    operate.py status-errors                  show why runs of `status` failed; --discard deletes the records
    operate.py restore posts --at TIME        restore items deleted from a table, as they were at a time
    operate.py restore posts --backup ARN     restore items deleted from a table, from an on-demand backup

Uses the AWS CLI's credentials and region, and the stack `dropcast` or `--stack NAME`.
docs/operate.md says when to use which command. `restore` never overwrites an existing
item, because that item is newer than the restored one.
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

from aws_cli import SQS_BATCH, Aws

TABLES = {"posts": ("PostsTable", "id"), "accounts": ("AccountsTable", "alias")}
"""The tables that can be restored: the stack's output and the partition key."""

QUEUES = ("IntakeQueueUrl", "DeadLetterQueueUrl", "StatusDlqUrl", "NoticesDlqUrl")
"""The stack's outputs with the URL of a queue."""

MAX_SHOWN_ERRORS = 100
"""How many failed runs are shown without --discard. An outage leaves a similar record every minute."""

POSTS_PER_PAGE = 100

POLL_INTERVAL_S = 5.0


def say(line: str) -> None:
    """Prints a line."""
    sys.stdout.write(f"{line}\n")


def summary(aws: Aws) -> int:
    """Prints the number of messages in each queue and of posts in each state."""
    for name in QUEUES:
        attributes = aws.call(
            *("sqs", "get-queue-attributes", "--queue-url", aws.outputs[name]),
            *("--attribute-names", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"),
        )["Attributes"]
        say(f"{name}: {attributes}")
    states = Counter(item["state"]["S"] for item in aws.items(aws.outputs["PostsTable"]))
    say(f"posts: {dict(states.most_common())}")
    return 0


def retry(aws: Aws, ids: list[str], code: str | None, account: str | None, since: str | None) -> int:
    """Retries the named posts, or all posts with a failure code, and prints the result for each.

    The API rejects the retry of a post that may have been published, so this cannot publish a video twice.
    """
    rejected = 0
    for post in ids or _failed_posts(aws, code, account, since):
        response = aws.request("POST", f"/posts/{post}/retry")
        body = response.body
        result = body["state"] if response.is_success else f"{body['code']}: {body['detail']}"
        say(f"  {post}  {result}")
        rejected += not response.is_success
    say(f"{rejected} posts could not be retried" if rejected else "all posts are retried")
    return 1 if rejected else 0


def _failed_posts(aws: Aws, code: str | None, account: str | None, since: str | None) -> list[str]:
    """Returns the ids of the posts that failed with this code, newest first."""
    filters = {"state": "failed", "limit": str(POSTS_PER_PAGE), "account": account, "since": since}
    ids: list[str] = []
    while True:
        query = urlencode({name: value for name, value in filters.items() if value})
        response = aws.request("GET", "/posts", query)
        if not response.is_success:
            raise SystemExit(response.body["detail"])
        ids += [post["id"] for post in response.body["posts"] if post["failure"]["code"] == code]
        filters["cursor"] = response.body.get("next_cursor")
        if not filters["cursor"]:
            return ids


def set_review(aws: Aws, account: str, review: str | None) -> int:
    """Sets the account's preference `review`: "required" holds its posts for review, None releases them."""
    response = aws.request("PATCH", f"/accounts/{account}", body={"review": review})
    if not response.is_success:
        raise SystemExit(response.body["detail"])
    result = "posts are held for review from now on" if review else "held posts are released"
    say(f"{account}: {result}")
    return 0


def redrive(aws: Aws) -> int:
    """Sends each dead letter to the intake queue, then deletes it from the dead-letter queue.

    In this order, an interruption loses no message; one may be in both queues. A repeated message does
    no harm, because `publish` reads the post's state from the posts table.
    """
    source, intake = aws.outputs["DeadLetterQueueUrl"], aws.outputs["IntakeQueueUrl"]
    sent = 0
    for messages in aws.batches(source):
        for message in messages:
            say(f"  {message['MessageId']}  {message['Body'][:100]}")
            aws.call("sqs", "send-message", "--queue-url", intake, "--message-body", message["Body"])
            handle = message["ReceiptHandle"]
            aws.call("sqs", "delete-message", "--queue-url", source, "--receipt-handle", handle)
            sent += 1
    say(f"{sent} dead letters are in the intake queue again")
    return 0


def republish(aws: Aws) -> int:
    """Passes the stream records that `notices` could not publish to it again, then deletes their messages.

    A record that `notices` still cannot publish is in the queue again. A message without the record's
    images only identifies the change, and stays in the queue.
    """
    queue = aws.outputs["NoticesDlqUrl"]
    # All are received first, because a record that fails again becomes a new message.
    messages = [message for batch in aws.batches(queue) for message in batch]
    passed = 0
    for message in messages:
        body = json.loads(message["Body"])
        record = body.get("record", {})
        post = record.get("dynamodb", {}).get("Keys", {}).get("id", {}).get("S")
        if record.get("dynamodb", {}).keys() & {"NewImage", "OldImage"}:
            response = aws.invoke("NoticesFunction", {"Records": [record]})
            if not response["batchItemFailures"]:
                handle = message["ReceiptHandle"]
                aws.call("sqs", "delete-message", "--queue-url", queue, "--receipt-handle", handle)
                passed += 1
                say(f"  {post}  passed to notices: {body['error']}")
                continue
        say(f"  {post or json.dumps(body.get('DDBStreamBatchInfo', body))}  kept")
    say(f"{passed} of {len(messages)} records were passed to notices; `summary` shows how many are left")
    return 0


def status_errors(aws: Aws, *, discard: bool) -> int:
    """Prints why runs of the `status` function failed; with `discard`, deletes the records.

    They must not be sent to a queue again: the next run has already worked on the same due posts.
    """
    queue = aws.outputs["StatusDlqUrl"]
    received: list[dict[str, Any]] = []
    for messages in aws.batches(queue):
        for message in messages:
            say(f"  {_describe_failure(json.loads(message['Body']))}")
        received += messages
        if discard:
            aws.call("sqs", "delete-message-batch", "--queue-url", queue, *_batch_entries(messages))
        elif len(received) >= MAX_SHOWN_ERRORS:
            break
    if not discard:
        # Makes the messages visible again at once.
        for first in range(0, len(received), SQS_BATCH):
            entries = _batch_entries(received[first : first + SQS_BATCH], VisibilityTimeout=0)
            aws.call("sqs", "change-message-visibility-batch", "--queue-url", queue, *entries)
    say(f"{len(received)} failed runs of status{'; their records are deleted' if discard else ''}")
    return 0


def _describe_failure(record: dict[str, Any]) -> str:
    """Returns time, request id, condition and error of a failed asynchronous invocation.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    context, error = record["requestContext"], (record.get("responsePayload") or {}).get("errorMessage")
    facts = (record.get("timestamp"), context.get("requestId"), context["condition"], error)
    return "  ".join(fact for fact in facts if fact)


def _batch_entries(messages: list[dict[str, Any]], **fields: int) -> tuple[str, str]:
    """Returns the `--entries` option of an SQS batch command for these messages."""
    entries = [{"Id": one["MessageId"], "ReceiptHandle": one["ReceiptHandle"], **fields} for one in messages]
    return "--entries", json.dumps(entries)


def restore(aws: Aws, table: str, at: str | None, backup: str | None) -> int:
    """Restores a table under a new name, and copies the items that the table in use lacks.

    The condition of each write keeps an item that was created meanwhile.
    """
    output, key = TABLES[table]
    current = aws.outputs[output]
    restored = f"{current}-restored-{int(time.time())}"[-255:]
    if backup:
        command = ("restore-table-from-backup", "--backup-arn", backup)
    else:
        command = ("restore-table-to-point-in-time", "--source-table-name", current)
        command += ("--restore-date-time", str(at))
    aws.call("dynamodb", *command, "--target-table-name", restored)
    say(f"restoring into {restored}; a large table takes an hour")
    describe = ("dynamodb", "describe-table", "--table-name", restored)
    while aws.call(*describe)["Table"]["TableStatus"] != "ACTIVE":
        time.sleep(POLL_INTERVAL_S)
    missing = list(_missing_items(aws, key, current, restored))
    for item in missing:
        aws.call(
            *("dynamodb", "put-item", "--table-name", current, "--item", json.dumps(item)),
            *("--condition-expression", "attribute_not_exists(#key)"),
            *("--expression-attribute-names", json.dumps({"#key": key})),
        )
        say(f"  {next(iter(item[key].values()))}")
    say(f"{len(missing)} items were copied into {current}. When you have checked the result, run:")
    say(f"  aws dynamodb delete-table --table-name {restored}")
    return 0


def _missing_items(aws: Aws, key: str, current: str, restored: str) -> Iterator[dict[str, Any]]:
    """Yields the items of the restored table whose key is not in the table in use."""
    present = {json.dumps(item[key]) for item in aws.items(current, "--consistent-read")}
    return (item for item in aws.items(restored) if json.dumps(item[key]) not in present)


def argument_parser() -> argparse.ArgumentParser:
    """Returns the parser; it stores the function of the chosen command in `run`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stack", default="dropcast", help="the stack's name (%(default)s)")
    parser.add_argument("--aws", default="aws", help="the AWS CLI (%(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)

    commands.add_parser("summary").set_defaults(run=lambda aws, _: summary(aws))
    commands.add_parser("redrive").set_defaults(run=lambda aws, _: redrive(aws))
    commands.add_parser("republish").set_defaults(run=lambda aws, _: republish(aws))

    command = commands.add_parser("status-errors")
    command.add_argument("--discard", action="store_true", help="delete the records after printing them")
    command.set_defaults(run=lambda aws, parsed: status_errors(aws, discard=parsed.discard))

    command = commands.add_parser("retry")
    selection = command.add_mutually_exclusive_group(required=True)
    selection.add_argument("posts", nargs="*", default=[], metavar="ID")
    selection.add_argument("--code", help="failure code, such as options_invalid")
    command.add_argument("--account", metavar="ALIAS", help="with --code: only posts of this account")
    command.add_argument(
        "--since", metavar="TIME", help="with --code: only posts created since, such as 2026-12-24T00:00:00Z"
    )
    command.set_defaults(
        run=lambda aws, parsed: retry(aws, parsed.posts, parsed.code, parsed.account, parsed.since)
    )

    for name, review in (("hold", "required"), ("release", None)):
        command = commands.add_parser(name)
        command.add_argument("account", metavar="ALIAS")
        command.set_defaults(run=lambda aws, parsed, review=review: set_review(aws, parsed.account, review))

    command = commands.add_parser("restore")
    command.add_argument("table", choices=sorted(TABLES))
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument("--at", metavar="TIME", help="a time before the loss, such as 2026-12-24T17:00:00Z")
    source.add_argument("--backup", metavar="ARN", help="an on-demand backup")
    command.set_defaults(run=lambda aws, parsed: restore(aws, parsed.table, parsed.at, parsed.backup))
    return parser


def main() -> int:
    """Parses the command line and runs the command."""
    parsed = argument_parser().parse_args()
    return parsed.run(Aws(parsed.aws, parsed.stack), parsed)


if __name__ == "__main__":
    sys.exit(main())
