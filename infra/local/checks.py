"""Checks what the compiler cannot: dependencies, the template, these scripts, and the API's contract.

The dependencies' licences, origins and directions are deny.toml's. `sam validate
--lint` looks at the template as written; a wrong type inside an `Events` block
shows only in what the SAM transform makes of it, so that is linted too. checkov
knows what is unwise, and template_rules.py what this stack promises. What parses
the words of others is fuzzed for a moment, and the running API is held against
its contract. Works without a network and without credentials.
"""

from __future__ import annotations

import os
from pathlib import Path

import contract
import fuzz
import lifecycle
import tools
from aws import REGION
from paths import HERE, INFRA, LOGS, REPO, TEMPLATE
from processes import run
from progress import Failure, step

CONFIGURATION = REPO / "docs" / "configuration.md"
OF_GITHUB = (
    ("the workflows", "vendor.github-workflows", ".github/workflows/*.yml"),
    ("dependabot's settings", "vendor.dependabot", ".github/dependabot.yml"),
)
"""What GitHub reads, and its own schema of it."""

TRANSLATED = REPO / "target" / "cloud" / "template.translated.json"


def check() -> int:
    """Runs every check; raises `Failure` at the first that finds something."""
    tools.ensure_checkers()
    _check("the dependencies", tools.CARGO_DENY, *_deny(), env=dict(os.environ))
    _check("the template", tools.SAM, "validate", "--lint", "--template-file", TEMPLATE, "--region", REGION)
    _check("that it translates", tools.SAM_PYTHON, HERE / "translate.py", TEMPLATE, TRANSLATED)
    _check("the translation", tools.CFN_LINT, "--regions", REGION, "--template", TRANSLATED)
    _check("what others are told", tools.SAM_PYTHON, HERE / "event_schema.py", REPO / "events" / "notices")
    config = ("--config-file", HERE / "checkov.yaml")
    _check("what is known to go wrong", tools.CHECKOV, "--file", TEMPLATE, *config)
    _check("the template's own rules", tools.SAM_PYTHON, HERE / "template_rules.py", TEMPLATE, REPO)
    cost = (INFRA / "cost.py", "--check", REPO / "docs" / "cost.md")
    _check("the page about costs", tools.SAM_PYTHON, *cost)
    _check("what costs are computed of", tools.SAM_PYTHON, HERE / "cost_facts.py", TEMPLATE, REPO)
    page = ("--check", TEMPLATE, CONFIGURATION)
    _check("its page in docs", tools.SAM_PYTHON, HERE / "configuration.py", *page)
    how = ("--config", HERE / "ruff.toml", "--no-cache", INFRA)
    _check("infra", tools.RUFF, "check", *how)
    _check("its form", tools.RUFF, "format", "--check", *how)
    for what, schema, path in OF_GITHUB:
        _check(what, tools.CHECK_JSONSCHEMA, "--builtin-schema", schema, *sorted(REPO.glob(path)))
    fuzz.check()
    with lifecycle.cloud_for_one_run() as cloud:
        contract.hold(cloud)
    return 0


def audit() -> int:
    """Looks every dependency up in RustSec's database, twice: as locked, and as deny.toml takes it.

    The database is a git repository, so this wants a network where `check` does not.
    """
    tools.ensure_checkers()
    everything = dict(os.environ)
    _check("for known holes", tools.CARGO_AUDIT, "audit", "--deny", "unsound", env=everything)
    advisories = ("--all-features", "--locked", "check", "--hide-inclusion-graph", "advisories")
    _check("for advisories", tools.CARGO_DENY, *advisories, env=everything)
    return 0


def _deny() -> list[str]:
    """Checks against deny.toml; it also allows dependents that there are not yet."""
    return [
        *("--all-features", "--locked", "check", "--hide-inclusion-graph"),
        *("--allow", "unused-wrapper", "bans", "licenses", "sources"),
    ]


def _check(what: str, *argv: str | Path, env: dict[str, str] | None = None) -> None:
    log = LOGS / "check.log"
    with step(f"checked {what}"):
        if run(argv, env=env or _environment(), cwd=REPO, log=log) != 0:
            raise Failure(f"checking {what}", log)


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(LOGS.parent),
        "AWS_DEFAULT_REGION": REGION,
        "SAM_CLI_TELEMETRY": "0",
    }
