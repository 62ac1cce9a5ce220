"""Holds what infra/cost.py counts with against the template, and against the code where that sets it.

Runs inside the SAM CLI's environment: `python cost_facts.py TEMPLATE REPO`. What was
measured or is assumed is not known here.
"""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse
from template_rules import named, of_type

SCHEDULE, LOOKS = "rate(1 minute)", 30 * 24 * 60
"""The schedule that is counted with, and what it comes to in a month."""

ONE_EACH = ("AWS::CloudWatch::Dashboard", "AWS::KMS::Key", "AWS::SecretsManager::Secret")
"""What is counted with once."""


def set_facts(template: dict[str, Any], repo: Path) -> Iterator[tuple[str, float]]:
    """Every number that is set, and not measured, by its name in `FACTS`."""
    resources, parameters = template["Resources"], template["Parameters"]
    yield "alarms", len(dict(of_type(resources, "AWS::CloudWatch::Alarm")))
    for name, function in of_type(resources, "AWS::Serverless::Function"):
        memory = function["MemorySize"]
        default = parameters.get(named(memory), {}).get("Default")
        yield f"{name.removesuffix('Function').lower()}_mb", default or memory
    index = (repo / "functions" / "storage" / "src" / "posts" / "shard.rs").read_text()
    shards = re.search(r"const SHARDS: u8 = (\d+);", index)
    # One for each shard, and one for the accounts that are idle.
    yield "dynamodb_queries_per_look", int(shards[1]) + 1 if shards else 0


def complaints(template: dict[str, Any], repo: Path) -> Iterator[str]:
    """Whatever is counted with, and is not so."""
    counted = runpy.run_path(str(repo / "infra" / "cost.py"))
    for name, value in set_facts(template, repo):
        if counted["FACTS"].get(name) != value:
            yield f"infra/cost.py counts with {name} = {counted['FACTS'].get(name)}, and it is {value}"
    schedule = template["Parameters"]["StatusSchedule"]["Default"]
    if (schedule, counted["LOOKS"]) != (SCHEDULE, LOOKS):
        yield f"infra/cost.py counts with {counted['LOOKS']} looks a month, and the schedule is {schedule}"
    for kind in ONE_EACH:
        if len(dict(of_type(template["Resources"], kind))) != 1:
            yield f"infra/cost.py counts with one {kind}"


def main() -> int:
    """Says everything that is wrong."""
    found = list(complaints(yaml_parse(Path(sys.argv[1]).read_text()), Path(sys.argv[2])))
    sys.stdout.write("".join(f"{complaint}\n" for complaint in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
