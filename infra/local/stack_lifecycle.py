"""Updates and deletes a stack that contains posts, and checks what remains: `make stack-lifecycle`.

- Every resource that the template retains (`DeletionPolicy`) must have the same content after the update
  and after the deletion.
- No other resource of the stack may remain after the deletion.

The command starts a cloud of its own and refuses to run if one is up.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import Any

import deploy
import lifecycle
import state
import tools
from aws import REGION
from paths import LOGS, REPO
from permissions import BASIC_SCENARIO, SCENARIO_COMMAND
from processes import Lifetime, inherited_environment, run
from progress import Failure, say, step
from state import Cloud

LOG = LOGS / "stack-lifecycle.log"

RETAINED = {
    "IntakeBucket": ("s3api", "list-object-versions", "--query", "Versions[].VersionId", "--bucket"),
    "IntakeBucketPolicy": ("s3api", "get-bucket-policy", "--bucket"),
    "PostsTable": ("dynamodb", "scan", "--consistent-read", "--query", "Items", "--table-name"),
    "AccountsTable": ("dynamodb", "scan", "--consistent-read", "--query", "Items", "--table-name"),
    "TokensKey": ("kms", "describe-key", "--query", "KeyMetadata.KeyState", "--key-id"),
    "AppSecret": ("secretsmanager", "get-secret-value", "--query", "SecretString", "--secret-id"),
}
"""The AWS CLI command that returns the content of each retained resource; its physical id is appended."""

DELETED = (
    ("lambda", "list-functions", "--query", "Functions[].FunctionName"),
    ("cloudwatch", "describe-alarms", "--query", "MetricAlarms[].AlarmName"),
    ("cloudwatch", "list-dashboards", "--query", "DashboardEntries[].DashboardName"),
    ("logs", "describe-log-groups", "--query", "logGroups[].logGroupName"),
    ("apigatewayv2", "get-apis", "--query", "Items[].Name"),
)
"""AWS CLI commands that must list nothing after the deletion. This cloud has no other stack."""


def stack_lifecycle(arguments: list[str]) -> int:
    """Runs the check; raises `Failure` if a retained resource changes or another one remains."""
    del arguments
    with state.exclusive():
        if state.load() is not None:
            raise Failure("a cloud is up, and this command would delete its stack; run `make down` first")
        cloud = lifecycle.start(Lifetime.THIS_COMMAND)
        try:
            _update_and_delete(cloud, inherited_environment(state.environment(cloud)))
        finally:
            cloud.stop()
    return 0


def _update_and_delete(cloud: Cloud, env: Mapping[str, str]) -> None:
    if run([*SCENARIO_COMMAND, BASIC_SCENARIO], env=env, cwd=REPO) != 0:
        raise Failure("the scenario that creates a post")
    physical_ids = _physical_ids(cloud)
    retained = {name for name, policy in _deletion_policies().items() if policy != "Delete"}
    if retained != set(RETAINED):
        raise Failure(f"the template retains {sorted(retained)}, but this script checks {sorted(RETAINED)}")
    before = _contents(physical_ids, env)
    with step("updated the stack"):
        deploy.deploy(cloud.caller, cloud.tiktok, LogLevel="debug", LogRetentionDays="7")
    if _physical_ids(cloud) != physical_ids or _contents(physical_ids, env) != before:
        raise Failure("the update replaced a retained resource or changed its content")
    with step("deleted the stack"):
        command = [tools.SAM, "delete", "--stack-name", deploy.STACK, "--region", REGION, "--no-prompts"]
        if run(command, env=deploy.environment(cloud.caller), cwd=REPO, log=LOG) != 0:
            raise Failure("sam delete", LOG)
    after = _contents(physical_ids, env)
    for name in RETAINED:
        if before[name] in ([], None) or after[name] != before[name]:
            raise Failure(f"{name} contained {before[name]}, and now contains {after[name]}")
        content = f"{len(before[name])} entries" if isinstance(before[name], list) else "unchanged"
        say(f"            {name} remains, {content}: {physical_ids[name]}")
    for command in DELETED:
        remaining = _aws_cli(command, env)
        if remaining:
            raise Failure(f"{' '.join(command[:2])}: {remaining} should have been deleted")


def _deletion_policies() -> dict[str, str]:
    """Returns the `DeletionPolicy` of each resource in the template that states one."""
    program = (
        "import json,sys; from samcli.yamlhelper import yaml_parse; "
        "found = yaml_parse(open('template.yaml').read())['Resources']; "
        "json.dump({n: r['DeletionPolicy'] for n, r in found.items() if 'DeletionPolicy' in r}, sys.stdout)"
    )
    output = subprocess.run([tools.SAM_PYTHON, "-c", program], cwd=REPO, stdout=subprocess.PIPE, check=True)
    return json.loads(output.stdout)


def _physical_ids(cloud: Cloud) -> dict[str, str]:
    """Returns the physical id of each retained resource, by its logical id."""
    found = deploy.stack_resources(cloud.caller)
    return {name: found[name] for name in RETAINED}


def _contents(physical_ids: Mapping[str, str], env: Mapping[str, str]) -> dict[str, Any]:
    # The CLI reads a bucket policy by the bucket's name.
    ids = {**physical_ids, "IntakeBucketPolicy": physical_ids["IntakeBucket"]}
    return {name: _aws_cli((*command, ids[name]), env) for name, command in RETAINED.items()}


def _aws_cli(arguments: tuple[str, ...], env: Mapping[str, str]) -> Any:
    command = [str(tools.AWS), *arguments, "--output", "json"]
    done = subprocess.run(command, env=dict(env), stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise Failure(f"aws {' '.join(arguments)}")
    return json.loads(done.stdout or "null")
