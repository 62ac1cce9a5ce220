"""The checks of `make check` beyond Cargo's own, and `make audit`.

- Dependencies: licences, sources and import directions, as deny.toml states them.
- Template: `sam validate --lint`, cfn-lint, checkov, and our own rules (template_rules.py). cfn-lint checks
  the output of the SAM transform, because a wrong type inside an `Events` block is only visible there.
- Generated pages: docs/configuration.md and the tables of docs/cost.md.
- These scripts: ruff.
- Parsers of external input: a short run of the fuzz targets.
- HTTP API: requests generated from its OpenAPI document.

`check` needs neither a network nor credentials.
"""

from __future__ import annotations

import os
from pathlib import Path

import contract
import fuzz
import lifecycle
import tools
from aws import REGION
from paths import CLOUD, HERE, INFRA, LOGS, REPO, TEMPLATE
from processes import clean_environment, run
from progress import Failure, step

CONFIGURATION_PAGE = REPO / "docs" / "configuration.md"
GITHUB_FILES = (
    ("the GitHub workflows", "vendor.github-workflows", ".github/workflows/*.yml"),
    ("the Dependabot settings", "vendor.dependabot", ".github/dependabot.yml"),
)
"""Label, JSON schema and path of each file that GitHub reads."""

TRANSLATED = CLOUD / "template.translated.json"


def check() -> int:
    """Runs every check; raises `Failure` at the first that finds a problem."""
    tools.ensure_checkers()
    _check("the dependencies", tools.CARGO_DENY, *_deny_arguments(), env=dict(os.environ))
    _check("the template", tools.SAM, "validate", "--lint", "--template-file", TEMPLATE, "--region", REGION)
    _check("the SAM transform", tools.SAM_PYTHON, HERE / "translate.py", TEMPLATE, TRANSLATED)
    _check("the translated template", tools.CFN_LINT, "--regions", REGION, "--template", TRANSLATED)
    _check("the event examples", tools.SAM_PYTHON, HERE / "event_schema.py", REPO / "events" / "notices")
    config = ("--config-file", HERE / "checkov.yaml")
    _check("the template with checkov", tools.CHECKOV, "--file", TEMPLATE, *config)
    _check("the template's own rules", tools.SAM_PYTHON, HERE / "template_rules.py", TEMPLATE, REPO)
    _check("docs/cost.md", tools.SAM_PYTHON, INFRA / "cost.py", "--check", REPO / "docs" / "cost.md")
    _check("the inputs of infra/cost.py", tools.SAM_PYTHON, HERE / "cost_facts.py", TEMPLATE, REPO)
    page = ("--check", TEMPLATE, CONFIGURATION_PAGE)
    _check("docs/configuration.md", tools.SAM_PYTHON, HERE / "configuration.py", *page)
    ruff = ("--config", HERE / "ruff.toml", "--no-cache", INFRA)
    _check("the scripts", tools.RUFF, "check", *ruff)
    _check("the scripts' format", tools.RUFF, "format", "--check", *ruff)
    for label, schema, path in GITHUB_FILES:
        _check(label, tools.CHECK_JSONSCHEMA, "--builtin-schema", schema, *sorted(REPO.glob(path)))
    fuzz.check()
    with lifecycle.cloud_for_one_run() as cloud:
        contract.check(cloud)
    return 0


def audit() -> int:
    """Checks the dependencies against the RustSec database: with cargo-audit, and with deny.toml's rules.

    The database is a git repository that is downloaded, so `make check` does not include this.
    """
    tools.ensure_checkers()
    env = dict(os.environ)
    _check("Cargo.lock with cargo-audit", tools.CARGO_AUDIT, "audit", "--deny", "unsound", env=env)
    advisories = ("--all-features", "--locked", "check", "--hide-inclusion-graph", "advisories")
    _check("Cargo.lock with cargo-deny", tools.CARGO_DENY, *advisories, env=env)
    return 0


def _deny_arguments() -> list[str]:
    """Returns cargo-deny's arguments. A dependent that deny.toml permits may be unused (`unused-wrapper`)."""
    return [
        *("--all-features", "--locked", "check", "--hide-inclusion-graph"),
        *("--allow", "unused-wrapper", "bans", "licenses", "sources"),
    ]


def _check(label: str, *argv: str | Path, env: dict[str, str] | None = None) -> None:
    log = LOGS / "check.log"
    with step(f"checked {label}"):
        if run(argv, env=env or _environment(), cwd=REPO, log=log) != 0:
            raise Failure(f"checking {label}", log)


def _environment() -> dict[str, str]:
    return {**clean_environment(LOGS.parent), "AWS_DEFAULT_REGION": REGION, "SAM_CLI_TELEMETRY": "0"}
