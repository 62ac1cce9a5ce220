"""Checks infra/cost.py's inputs that the template or the code sets: `python cost_facts.py TEMPLATE REPO`.

Runs in the SAM CLI's virtual environment. Inputs that were measured or assumed are not checked.
"""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

from samcli.yamlhelper import yaml_parse

from template import Template, function_name, referenced_name, resources_of_type

SCHEDULE, RUNS_PER_MONTH = "rate(1 minute)", 30 * 24 * 60
"""The schedule of `status` that cost.py assumes, and its runs in a month of 30 days."""

COUNTED_ONCE = ("AWS::CloudWatch::Dashboard", "AWS::KMS::Key", "AWS::SecretsManager::Secret")
"""Resource types of which cost.py counts one."""


def configured_facts(template: Template, repo: Path) -> Iterator[tuple[str, float]]:
    """Yields each input of cost.py that the template or the code sets, by its name in `FACTS`."""
    resources, parameters = template["Resources"], template["Parameters"]
    yield "alarms", len(dict(resources_of_type(resources, "AWS::CloudWatch::Alarm")))
    for name, function in resources_of_type(resources, "AWS::Serverless::Function"):
        memory_mb = function["MemorySize"]
        default = parameters.get(referenced_name(memory_mb), {}).get("Default")
        yield f"{function_name(name)}_mb", default or memory_mb
    source = (repo / "functions" / "storage" / "src" / "posts" / "shard.rs").read_text()
    shards = re.search(r"const SHARDS: u8 = (\d+);", source)
    if not shards:
        raise SystemExit("no SHARDS in functions/storage/src/posts/shard.rs")
    # A run of `status` makes one query for each shard of the index `due`, and one of the index `renewal`.
    yield "dynamodb_queries_per_status_run", int(shards[1]) + 1
    yield "bucket_checks_per_day", 24 / parameters["BucketCheckHours"]["Default"]
    yield "pages_per_status_run", _constant(repo, "posting/src/bucket_check.rs", r"MAX_PAGES: u32 = (\d+);")
    hours = _constant(repo, "domain/src/bucket_check.rs", r"MAX_AGE: Duration = .*from_hours\((\d+)\);")
    yield "days_checked", hours / 24


def _constant(repo: Path, source: str, pattern: str) -> int:
    """Returns the number of a constant of the code."""
    found = re.search(pattern, (repo / "functions" / source).read_text())
    if not found:
        raise SystemExit(f"no {pattern} in functions/{source}")
    return int(found[1])


def violations(template: Template, repo: Path) -> Iterator[str]:
    """Yields a message for each input that differs from the template or the code."""
    cost = runpy.run_path(str(repo / "infra" / "cost.py"))
    for name, value in configured_facts(template, repo):
        if cost["FACTS"].get(name) != value:
            yield f"infra/cost.py has {name} = {cost['FACTS'].get(name)}, but the configured value is {value}"
    schedule, runs = template["Parameters"]["StatusSchedule"]["Default"], cost["STATUS_RUNS"]
    if (schedule, runs) != (SCHEDULE, RUNS_PER_MONTH):
        yield f"infra/cost.py has {runs} runs of status a month, but the schedule is {schedule}"
    for resource_type in COUNTED_ONCE:
        if len(dict(resources_of_type(template["Resources"], resource_type))) != 1:
            yield f"infra/cost.py counts one {resource_type}, but the template has another number"


def main() -> int:
    """Prints every violation; returns 1 if there is one."""
    found = list(violations(yaml_parse(Path(sys.argv[1]).read_text()), Path(sys.argv[2])))
    sys.stdout.write("".join(f"{violation}\n" for violation in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
