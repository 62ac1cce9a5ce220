#!/usr/bin/env python3
"""Computes the monthly cost of Dropcast on AWS and prints it as the Markdown table of docs/cost.md.

    cost.py                                     1,000 posts of 100 MB
    cost.py --posts 50 --megabytes 30           other numbers
    cost.py --set lambda_gb_s=0.0000166667      replace a price or a fact
    cost.py --check docs/cost.md                check that the page contains the computed tables

All inputs are in `FACTS` and `PRICES`; `--set` accepts their names. The unit is the suffix
of a name: `_s` seconds, `_mb` megabytes of memory, `_kb` kilobytes. Some facts are set by the
template or the code; `make check` compares those (infra/local/cost_facts.py).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

FACTS: dict[str, float] = {
    # Assumed: upload rate to TikTok, time of an upload's other calls, polls and webhooks for each post,
    # and how many days a video stays in the bucket.
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
    "alarms": 10,
    "bucket_checks_per_day": 1,
    "versions_per_page": 1000,
    "pages_per_status_run": 10,
    "days_checked": 3,
    # Measured; docs/cost.md names the commands. `status_s`, `notices_s` and `api_s` are the duration of one
    # invocation.
    "status_s": 0.08,
    "notices_s": 0.1,
    "api_s": 0.072,
    "events_per_post": 6,
    "stream_writes_per_post": 10,
    "s3_gets_per_mb": 0.76,
    "s3_gets_per_post": 5,
    "s3_puts_per_post": 4,
    "dynamodb_gets_per_post": 7,
    "dynamodb_puts_per_post": 8,
    "dynamodb_gets_per_poll": 3,
    "dynamodb_puts_per_poll": 2,
    "dynamodb_gets_per_webhook": 2,
    "dynamodb_puts_per_webhook": 2,
    "dynamodb_queries_per_status_run": 9,
    "dynamodb_gets_per_status_run": 1,
    "kms_calls_per_post": 6,
    "sqs_calls_per_post": 4,
    "log_kb_per_post": 12,
    "log_kb_per_status_run": 0.9,
    "log_kb_per_stream_write": 0.3,
    "log_kb_per_webhook": 1,
    # A post's item has about 3 KB. It is written to the table, and with all its attributes to one index.
    "write_units_per_put": 8,
    # Custom metrics of a stack with few failures. CloudWatch counts each combination of dimensions as one.
    "metrics": 20,
}


@dataclass(frozen=True)
class Price:
    """A list price of AWS."""

    dollars: float
    unit: str
    page: str
    """The path of the price's page under https://aws.amazon.com/."""


PRICE_YEAR = "2025"
"""The year of the list prices below, for us-east-1 and arm64, without the free tier."""

PRICES = {
    "lambda_gb_s": Price(0.0000133334, "GB-second", "lambda/pricing/"),
    "lambda_request": Price(0.20e-6, "invocation", "lambda/pricing/"),
    "dynamodb_write": Price(0.625e-6, "write unit", "dynamodb/pricing/on-demand/"),
    "dynamodb_read": Price(0.125e-6, "read unit", "dynamodb/pricing/on-demand/"),
    "s3_gb_month": Price(0.023, "GB-month of storage", "s3/pricing/"),
    "s3_get": Price(0.4e-6, "GET request", "s3/pricing/"),
    "s3_put": Price(5e-6, "PUT, LIST or tagging request", "s3/pricing/"),
    "transfer_out_gb": Price(0.09, "outgoing GB", "ec2/pricing/on-demand/#Data_Transfer"),
    "sqs_request": Price(0.40e-6, "SQS request", "sqs/pricing/"),
    "http_request": Price(1e-6, "HTTP API request", "api-gateway/pricing/"),
    "event": Price(1e-6, "published event", "eventbridge/pricing/"),
    "kms_key_month": Price(1.0, "key-month", "kms/pricing/"),
    "kms_request": Price(3e-6, "KMS request", "kms/pricing/"),
    "secret_month": Price(0.40, "secret-month", "secrets-manager/pricing/"),
    "logs_gb": Price(0.50, "GB of logs", "cloudwatch/pricing/"),
    "metric_month": Price(0.30, "metric-month", "cloudwatch/pricing/"),
    "alarm_month": Price(0.10, "alarm-month", "cloudwatch/pricing/"),
    "dashboard_month": Price(3.0, "dashboard-month", "cloudwatch/pricing/"),
}

DAYS = 30
"""Days in a month."""

STATUS_RUNS = DAYS * 24 * 60
"""Runs of the `status` function in a month: one a minute."""

SQS_IDLE_CALLS = 30 * 24 * 60 * 60 / 20 * 5
"""Long polls in a month. Lambda's event source mapping keeps five open, each for 20 s."""


@dataclass(frozen=True)
class CostItem:
    """One row of the table: the item, its arithmetic and its monthly cost."""

    label: str
    arithmetic: str
    dollars: float


def cost_items(posts: int, megabytes: float, facts: dict[str, float]) -> list[CostItem]:
    """Computes every item of the monthly bill; `facts` has the facts and prices by name."""
    f = facts
    upload_s = megabytes / f["upload_mb_per_s"] + f["publish_overhead_s"]
    publish_gb_s = posts * upload_s * f["publish_mb"] / 1024
    status_gb_s = STATUS_RUNS * f["status_s"] * f["status_mb"] / 1024
    stored_gb = posts * megabytes / 1000 * f["days_kept"] / 30
    sent_gb = posts * megabytes / 1000
    polls, webhooks = posts * f["polls_per_post"], posts * f["webhooks_per_post"]
    # Upper bound: one invocation of `notices` for each write. In fact, one invocation gets a batch of writes.
    stream_writes, events = posts * f["stream_writes_per_post"], posts * f["events_per_post"]
    notices_gb_s = stream_writes * f["notices_s"] * f["notices_mb"] / 1024
    api_gb_s = webhooks * f["api_s"] * f["api_mb"] / 1024
    # A query of an index reads with eventual consistency, at half the price.
    reads = posts * f["dynamodb_gets_per_post"] + polls * f["dynamodb_gets_per_poll"]
    reads += (
        webhooks * f["dynamodb_gets_per_webhook"] + STATUS_RUNS * f["dynamodb_queries_per_status_run"] / 2
    )
    puts_to_tables = posts * f["dynamodb_puts_per_post"] + polls * f["dynamodb_puts_per_poll"]
    puts_to_tables += webhooks * f["dynamodb_puts_per_webhook"]
    write_units = puts_to_tables * f["write_units_per_put"]
    reads += STATUS_RUNS * f["dynamodb_gets_per_status_run"]
    # Each area of the bucket begins a page of its own. Each version of the last days is checked for its post.
    checks, versions = DAYS * f["bucket_checks_per_day"], posts * f["days_kept"] / DAYS
    pages = checks * (2 + versions // f["versions_per_page"])
    max_pages = STATUS_RUNS * f["pages_per_status_run"]
    versions_checked = checks * posts * f["days_checked"] / DAYS
    reads += versions_checked
    gets = posts * (megabytes * f["s3_gets_per_mb"] + f["s3_gets_per_post"])
    puts = posts * f["s3_puts_per_post"]
    logs_gb = (posts * f["log_kb_per_post"] + STATUS_RUNS * f["log_kb_per_status_run"]) / 1e6
    logs_gb += (stream_writes * f["log_kb_per_stream_write"] + webhooks * f["log_kb_per_webhook"]) / 1e6
    sqs = posts * f["sqs_calls_per_post"] + SQS_IDLE_CALLS
    kms = posts * f["kms_calls_per_post"]
    return [
        CostItem(
            "Outgoing bytes to TikTok",
            f"{posts:,} × {megabytes:g} MB = {sent_gb:,.1f} GB × ${f['transfer_out_gb']}",
            sent_gb * f["transfer_out_gb"],
        ),
        CostItem(
            "Videos in the bucket",
            f"{stored_gb:,.1f} GB for {f['days_kept']:g} days × ${f['s3_gb_month']}",
            stored_gb * f["s3_gb_month"],
        ),
        CostItem(
            "publish",
            f"{posts:,} × ({megabytes:g} MB ÷ {f['upload_mb_per_s']:g} MB/s + {f['publish_overhead_s']:g} s) "
            f"× {f['publish_mb']:g} MB = {publish_gb_s:,.0f} GB-s × ${f['lambda_gb_s']:.10f}",
            publish_gb_s * f["lambda_gb_s"] + posts * f["lambda_request"],
        ),
        CostItem(
            "status",
            f"{STATUS_RUNS:,} runs × {f['status_s']:g} s × {f['status_mb']:g} MB = {status_gb_s:,.0f} GB-s, "
            f"and {STATUS_RUNS:,} × ${f['lambda_request']:.7f}",
            status_gb_s * f["lambda_gb_s"] + STATUS_RUNS * f["lambda_request"],
        ),
        CostItem(
            "notices",
            f"{stream_writes:,.0f} writes × ({f['notices_s']:g} s × {f['notices_mb']:g} MB, "
            f"and ${f['lambda_request']:.7f}) + {events:,.0f} events × ${f['event']:.6f}",
            notices_gb_s * f["lambda_gb_s"] + stream_writes * f["lambda_request"] + events * f["event"],
        ),
        CostItem(
            "api",
            f"{webhooks:,.0f} webhooks × ({f['api_s']:g} s × {f['api_mb']:g} MB, ${f['lambda_request']:.7f}, "
            f"and ${f['http_request']:.6f})",
            api_gb_s * f["lambda_gb_s"] + webhooks * (f["lambda_request"] + f["http_request"]),
        ),
        CostItem(
            "DynamoDB",
            f"{puts_to_tables:,.0f} PUTs × {f['write_units_per_put']:g} units × ${f['dynamodb_write']:.9f} "
            f"+ {reads:,.0f} read units × ${f['dynamodb_read']:.9f}",
            write_units * f["dynamodb_write"] + reads * f["dynamodb_read"],
        ),
        CostItem(
            "S3 requests",
            f"{gets:,.0f} GETs × ${f['s3_get']:.7f} + {puts:,.0f} PUTs and tags × ${f['s3_put']:.6f}",
            gets * f["s3_get"] + puts * f["s3_put"],
        ),
        CostItem(
            "Bucket check",
            f"{checks:,.0f} checks of {versions:,.0f} versions = {pages:,.0f} pages × ${f['s3_put']:.6f}; "
            f"for any bucket at most {max_pages:,.0f} pages, ${max_pages * f['s3_put']:,.2f}",
            pages * f["s3_put"],
        ),
        CostItem(
            "SQS",
            f"{sqs:,.0f} requests × ${f['sqs_request']:.7f}, nearly all of them long polls",
            sqs * f["sqs_request"],
        ),
        CostItem(
            "Key and secret",
            f"${f['kms_key_month']:g} + ${f['secret_month']:g} + {kms:,.0f} × ${f['kms_request']:.6f}",
            f["kms_key_month"] + f["secret_month"] + kms * f["kms_request"],
        ),
        CostItem("Logs", f"{logs_gb:,.3f} GB × ${f['logs_gb']}", logs_gb * f["logs_gb"]),
        CostItem(
            "Metrics, alarms, dashboard",
            f"{f['metrics']:g} × ${f['metric_month']} + {f['alarms']:g} × ${f['alarm_month']} "
            f"+ ${f['dashboard_month']:g}",
            f["metrics"] * f["metric_month"] + f["alarms"] * f["alarm_month"] + f["dashboard_month"],
        ),
    ]


def table(posts: int, megabytes: float, facts: dict[str, float]) -> str:
    """Returns the items and their sum as a Markdown table."""
    items = cost_items(posts, megabytes, facts)
    rows = [f"| {item.label} | {item.arithmetic} | ${item.dollars:,.2f} |" for item in items]
    total = sum(item.dollars for item in items)
    per_post = f"${total / posts:,.4f} a post" if posts else ""
    head = [f"| {posts:,} posts of {megabytes:g} MB a month | arithmetic | cost |", "|---|---|---:|"]
    return "\n".join([*head, *rows, f"| **total** | {per_post} | **${total:,.2f}** |"])


def price_table() -> str:
    """Returns the prices as a Markdown table."""
    rows = []
    for name, price in PRICES.items():
        dollars = f"${price.dollars:.10f}".rstrip("0").rstrip(".")
        rows.append(f"| `{name}` | {dollars} | {price.unit} | <https://aws.amazon.com/{price.page}> |")
    return "\n".join([f"| price, {PRICE_YEAR} | USD | for one | page |", "|---|---:|---|---|", *rows])


def main() -> int:
    """Parses the command line, then prints or checks the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", type=int, default=1000)
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER", dest="replacements")
    parser.add_argument("--check", type=Path, metavar="PAGE")
    parsed = parser.parse_args()
    facts = {**FACTS, **{name: price.dollars for name, price in PRICES.items()}}
    for replacement in parsed.replacements:
        name, _, number = replacement.partition("=")
        if name not in facts:
            parser.error(f"unknown name {name}; names are {', '.join(facts)}")
        facts[name] = float(number)
    costs = table(parsed.posts, parsed.megabytes, facts)
    if parsed.check:
        page = parsed.check.read_text()
        missing = [part for part in (costs, price_table()) if part not in page]
        for part in missing:
            sys.stdout.write(f"{parsed.check} lacks this table of infra/cost.py:\n{part}\n")
        return 1 if missing else 0
    sys.stdout.write(f"{costs}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
