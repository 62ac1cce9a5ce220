#!/usr/bin/env python3
"""Computes what a month of Dropcast costs, with the arithmetic: docs/cost.md.

    cost.py                                     1,000 posts of 100 MB
    cost.py --posts 50 --megabytes 30           others
    cost.py --set lambda_gb_s=0.0000166667      another price, or another measurement
    cost.py --check docs/cost.md                whether the page says what this computes

Every number that goes in is in `FACTS` or `PRICES`, by a name that `--set` takes.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

FACTS: dict[str, float] = {
    # Assumed: how fast TikTok takes an upload, what the questions to TikTok and AWS around it
    # take, how often TikTok is asked what became of it, and how long its video is kept.
    "upload_mb_per_s": 20,
    "publish_overhead_s": 1.5,
    "polls_per_post": 4,
    "webhooks_per_post": 2,
    "days_kept": 30,
    # Set in template.yaml.
    "publish_mb": 256,
    "status_mb": 256,
    "notices_mb": 128,
    "api_mb": 256,
    "alarms": 8,
    # Measured; docs/cost.md says by which command.
    "status_s": 0.08,
    "notices_s": 0.1,
    "api_s": 0.072,
    "notices_per_post": 6,
    "stream_writes_per_post": 10,
    "s3_gets_per_mb": 0.76,
    "s3_gets_per_post": 5,
    "s3_puts_per_post": 4,
    "dynamodb_gets_per_post": 7,
    "dynamodb_puts_per_post": 7,
    "dynamodb_gets_per_poll": 3,
    "dynamodb_puts_per_poll": 2,
    "dynamodb_gets_per_webhook": 2,
    "dynamodb_puts_per_webhook": 2,
    "dynamodb_queries_per_look": 9,
    "kms_calls_per_post": 6,
    "sqs_calls_per_post": 4,
    "log_kb_per_post": 12,
    "log_kb_per_look": 0.9,
    "log_kb_per_notice": 0.3,
    "log_kb_per_webhook": 1,
    # A post's item has some 3 KB, and is written to the table and whole to one of its indexes.
    "write_units_per_put": 8,
    # Metrics that a stack comes to in a month without much trouble; each counts once for each of its words.
    "metrics": 20,
}


@dataclass(frozen=True)
class Price:
    """What AWS asks for something, and the page that says so."""

    dollars: float
    unit: str
    page: str


PRICES_OF = "2025"
"""The year in which these were AWS's list prices for us-east-1 and arm64, without any free tier."""

PRICES = {
    "lambda_gb_s": Price(0.0000133334, "GB-second of a function", "lambda/pricing/"),
    "lambda_request": Price(0.20e-6, "invocation", "lambda/pricing/"),
    "dynamodb_write": Price(0.625e-6, "write unit", "dynamodb/pricing/on-demand/"),
    "dynamodb_read": Price(0.125e-6, "read unit", "dynamodb/pricing/on-demand/"),
    "s3_gb_month": Price(0.023, "GB in the bucket for a month", "s3/pricing/"),
    "s3_get": Price(0.4e-6, "GET", "s3/pricing/"),
    "s3_put": Price(5e-6, "PUT, or tagging", "s3/pricing/"),
    "transfer_out_gb": Price(0.09, "GB that leaves AWS", "ec2/pricing/on-demand/#Data_Transfer"),
    "sqs_request": Price(0.40e-6, "request to SQS", "sqs/pricing/"),
    "http_request": Price(1e-6, "request to the HTTP API", "api-gateway/pricing/"),
    "event": Price(1e-6, "event on the bus", "eventbridge/pricing/"),
    "kms_key_month": Price(1.0, "key for a month", "kms/pricing/"),
    "kms_request": Price(3e-6, "request to KMS", "kms/pricing/"),
    "secret_month": Price(0.40, "secret for a month", "secrets-manager/pricing/"),
    "logs_gb": Price(0.50, "GB of logs", "cloudwatch/pricing/"),
    "metric_month": Price(0.30, "metric for a month", "cloudwatch/pricing/"),
    "alarm_month": Price(0.10, "alarm for a month", "cloudwatch/pricing/"),
    "dashboard_month": Price(3.0, "dashboard for a month", "cloudwatch/pricing/"),
}

LOOKS = 30 * 24 * 60
"""One a minute."""

SQS_IDLE_CALLS = 30 * 24 * 60 * 60 / 20 * 5
"""An event source mapping keeps five long polls of 20 s open."""


@dataclass(frozen=True)
class Line:
    """What something costs, and how that comes about."""

    what: str
    how: str
    dollars: float


def lines(posts: int, megabytes: float, facts: dict[str, float]) -> list[Line]:
    """Everything that is paid for."""
    f = facts
    sending_s = megabytes / f["upload_mb_per_s"] + f["publish_overhead_s"]
    publish_gb_s = posts * sending_s * f["publish_mb"] / 1024
    status_gb_s = LOOKS * f["status_s"] * f["status_mb"] / 1024
    stored_gb = posts * megabytes / 1000 * f["days_kept"] / 30
    sent_gb = posts * megabytes / 1000
    polls, webhooks = posts * f["polls_per_post"], posts * f["webhooks_per_post"]
    # A batch may have several writes; here each has an invocation of its own.
    changes, notices = posts * f["stream_writes_per_post"], posts * f["notices_per_post"]
    notices_gb_s = changes * f["notices_s"] * f["notices_mb"] / 1024
    api_gb_s = webhooks * f["api_s"] * f["api_mb"] / 1024
    # An index is read at half the price.
    reads = posts * f["dynamodb_gets_per_post"] + polls * f["dynamodb_gets_per_poll"]
    reads += webhooks * f["dynamodb_gets_per_webhook"] + LOOKS * f["dynamodb_queries_per_look"] / 2
    written = posts * f["dynamodb_puts_per_post"] + polls * f["dynamodb_puts_per_poll"]
    written += webhooks * f["dynamodb_puts_per_webhook"]
    writes = written * f["write_units_per_put"]
    gets = posts * (megabytes * f["s3_gets_per_mb"] + f["s3_gets_per_post"])
    puts = posts * f["s3_puts_per_post"]
    logs_gb = (posts * f["log_kb_per_post"] + LOOKS * f["log_kb_per_look"]) / 1e6
    logs_gb += (changes * f["log_kb_per_notice"] + webhooks * f["log_kb_per_webhook"]) / 1e6
    sqs = posts * f["sqs_calls_per_post"] + SQS_IDLE_CALLS
    kms = posts * f["kms_calls_per_post"]
    return [
        Line(
            "Bytes to TikTok",
            f"{posts:,} × {megabytes:g} MB = {sent_gb:,.1f} GB × ${f['transfer_out_gb']}",
            sent_gb * f["transfer_out_gb"],
        ),
        Line(
            "Videos in the bucket",
            f"{stored_gb:,.1f} GB for {f['days_kept']:g} days × ${f['s3_gb_month']}",
            stored_gb * f["s3_gb_month"],
        ),
        Line(
            "publish",
            f"{posts:,} × ({megabytes:g} MB ÷ {f['upload_mb_per_s']:g} MB/s + {f['publish_overhead_s']:g} s) "
            f"× {f['publish_mb']:g} MB = {publish_gb_s:,.0f} GB-s × ${f['lambda_gb_s']:.10f}",
            publish_gb_s * f["lambda_gb_s"] + posts * f["lambda_request"],
        ),
        Line(
            "status",
            f"{LOOKS:,} looks × {f['status_s']:g} s × {f['status_mb']:g} MB = {status_gb_s:,.0f} GB-s, "
            f"and {LOOKS:,} × ${f['lambda_request']:.7f}",
            status_gb_s * f["lambda_gb_s"] + LOOKS * f["lambda_request"],
        ),
        Line(
            "notices",
            f"{changes:,.0f} changes × ({f['notices_s']:g} s × {f['notices_mb']:g} MB, "
            f"and ${f['lambda_request']:.7f}) + {notices:,.0f} events × ${f['event']:.6f}",
            notices_gb_s * f["lambda_gb_s"] + changes * f["lambda_request"] + notices * f["event"],
        ),
        Line(
            "api",
            f"{webhooks:,.0f} webhooks × ({f['api_s']:g} s × {f['api_mb']:g} MB, ${f['lambda_request']:.7f}, "
            f"and ${f['http_request']:.6f})",
            api_gb_s * f["lambda_gb_s"] + webhooks * (f["lambda_request"] + f["http_request"]),
        ),
        Line(
            "DynamoDB",
            f"{written:,.0f} PUTs × {f['write_units_per_put']:g} units × ${f['dynamodb_write']:.9f} "
            f"+ {reads:,.0f} read units × ${f['dynamodb_read']:.9f}",
            writes * f["dynamodb_write"] + reads * f["dynamodb_read"],
        ),
        Line(
            "S3 requests",
            f"{gets:,.0f} GETs × ${f['s3_get']:.7f} + {puts:,.0f} PUTs and tags × ${f['s3_put']:.6f}",
            gets * f["s3_get"] + puts * f["s3_put"],
        ),
        Line(
            "SQS",
            f"{sqs:,.0f} requests × ${f['sqs_request']:.7f}, nearly all of them waiting",
            sqs * f["sqs_request"],
        ),
        Line(
            "Key and secret",
            f"${f['kms_key_month']:g} + ${f['secret_month']:g} + {kms:,.0f} × ${f['kms_request']:.6f}",
            f["kms_key_month"] + f["secret_month"] + kms * f["kms_request"],
        ),
        Line("Logs", f"{logs_gb:,.3f} GB × ${f['logs_gb']}", logs_gb * f["logs_gb"]),
        Line(
            "Metrics, alarms, dashboard",
            f"{f['metrics']:g} × ${f['metric_month']} + {f['alarms']:g} × ${f['alarm_month']} "
            f"+ ${f['dashboard_month']:g}",
            f["metrics"] * f["metric_month"] + f["alarms"] * f["alarm_month"] + f["dashboard_month"],
        ),
    ]


def table(posts: int, megabytes: float, facts: dict[str, float]) -> str:
    """The lines and their sum, as a table of a page."""
    all_of_it = lines(posts, megabytes, facts)
    rows = [f"| {line.what} | {line.how} | ${line.dollars:,.2f} |" for line in all_of_it]
    total = sum(line.dollars for line in all_of_it)
    each = f"${total / posts:,.4f} a post" if posts else ""
    head = [f"| {posts:,} posts of {megabytes:g} MB a month | how | |", "|---|---|---:|"]
    return "\n".join([*head, *rows, f"| **together** | {each} | **${total:,.2f}** |"])


def prices() -> str:
    """What AWS asks for, as a table of a page."""
    rows = []
    for name, price in PRICES.items():
        dollars = f"${price.dollars:.10f}".rstrip("0").rstrip(".")
        rows.append(f"| `{name}` | {dollars} | {price.unit} | <https://aws.amazon.com/{price.page}> |")
    return "\n".join([f"| price, {PRICES_OF} | | of a | page |", "|---|---:|---|---|", *rows])


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", type=int, default=1000)
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER", dest="changed")
    parser.add_argument("--check", type=Path, metavar="PAGE")
    asked = parser.parse_args()
    facts = {**FACTS, **{name: price.dollars for name, price in PRICES.items()}}
    for change in asked.changed:
        name, _, number = change.partition("=")
        if name not in facts:
            parser.error(f"{name} is none of {', '.join(facts)}")
        facts[name] = float(number)
    said = table(asked.posts, asked.megabytes, facts)
    if asked.check:
        page = asked.check.read_text()
        absent = [part for part in (said, prices()) if part not in page]
        for part in absent:
            sys.stdout.write(f"{asked.check} does not say what infra/cost.py computes:\n{part}\n")
        return 1 if absent else 0
    sys.stdout.write(f"{said}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
