"""Updates and deletes a stack with posts in it, and sees what is left: `make outlive`.

What the template says is to stay is asked for afterwards, by name, and has to hold
what it held before; everything else of the stack has to be gone. It takes a cloud of its own.
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
from aws import REGION, texts
from paths import LOGS, REPO
from permissions import TELL
from processes import Lifetime, inherited, run
from progress import Failure, say, step
from state import Cloud

STORY = "drops::a_drop_is_published_once_and_its_link_comes_back"
LOG = LOGS / "outlive.log"

STAYS = {
    "IntakeBucket": ("s3api", "list-object-versions", "--query", "Versions[].VersionId", "--bucket"),
    "IntakeBucketPolicy": ("s3api", "get-bucket-policy", "--bucket"),
    "PostsTable": ("dynamodb", "scan", "--consistent-read", "--query", "Items", "--table-name"),
    "AccountsTable": ("dynamodb", "scan", "--consistent-read", "--query", "Items", "--table-name"),
    "TokensKey": ("kms", "describe-key", "--query", "KeyMetadata.KeyState", "--key-id"),
    "AppSecret": ("secretsmanager", "get-secret-value", "--query", "SecretString", "--secret-id"),
}
"""How each resource that is to stay is asked what it holds."""

GONE = (
    ("lambda", "list-functions", "--query", "Functions[].FunctionName"),
    ("cloudwatch", "describe-alarms", "--query", "MetricAlarms[].AlarmName"),
    ("cloudwatch", "list-dashboards", "--query", "DashboardEntries[].DashboardName"),
    ("logs", "describe-log-groups", "--query", "logGroups[].logGroupName"),
    ("apigatewayv2", "get-apis", "--query", "Items[].Name"),
)
"""What is asked for all there is of a kind; nothing else is in this cloud."""


def outlive(arguments: list[str]) -> int:
    """Tries it; raises `Failure` where something is lost, or left that should not be."""
    del arguments
    with state.alone():
        if state.recall() is not None:
            raise Failure("a cloud is up, and its stack would be deleted: make down")
        cloud = lifecycle.start(Lifetime.WITH_US)
        try:
            _try(cloud, inherited(state.environment(cloud)))
        finally:
            cloud.stop()
    return 0


def _try(cloud: Cloud, env: Mapping[str, str]) -> None:
    if run([*TELL, STORY], env=env, cwd=REPO) != 0:
        raise Failure("the story that leaves something behind")
    named = _resources(cloud)
    kept = {name for name, policy in _policies().items() if policy != "Delete"}
    if kept != set(STAYS):
        raise Failure(f"the template keeps {sorted(kept)}, and {sorted(STAYS)} is looked at")
    before = _held(named, env)
    with step("updated the stack"):
        deploy.deploy(cloud.caller, cloud.tiktok, LogLevel="debug", LogRetentionDays="7")
    if _resources(cloud) != named or _held(named, env) != before:
        raise Failure("the update replaced something, or changed what was there")
    with step("deleted the stack"):
        command = [tools.SAM, "delete", "--stack-name", deploy.STACK, "--region", REGION, "--no-prompts"]
        if run(command, env=deploy.environment(cloud.caller), cwd=REPO, log=LOG) != 0:
            raise Failure("sam delete", LOG)
    after = _held(named, env)
    for name in STAYS:
        if before[name] in ([], None) or after[name] != before[name]:
            raise Failure(f"{name} held {before[name]}, and now {after[name]}")
        many = f"{len(before[name])} of them" if isinstance(before[name], list) else "as it was"
        say(f"            {name} is there, {many}: {named[name]}")
    for question in GONE:
        left = _ask(question, env)
        if left:
            raise Failure(f"{' '.join(question[:2])}: {left} is left")


def _policies() -> dict[str, str]:
    """What the template says becomes of each resource that says so."""
    program = (
        "import json,sys; from samcli.yamlhelper import yaml_parse; "
        "found = yaml_parse(open('template.yaml').read())['Resources']; "
        "json.dump({n: r['DeletionPolicy'] for n, r in found.items() if 'DeletionPolicy' in r}, sys.stdout)"
    )
    told = subprocess.run([tools.SAM_PYTHON, "-c", program], cwd=REPO, stdout=subprocess.PIPE, check=True)
    return json.loads(told.stdout)


def _resources(cloud: Cloud) -> dict[str, str]:
    """The names that the stack's resources have, by those that they have in the template."""
    told = cloud.caller.query(
        "cloudformation", deploy.CLOUDFORMATION_VERSION, "DescribeStackResources", StackName=deploy.STACK
    )
    logical, physical = texts(told, "LogicalResourceId"), texts(told, "PhysicalResourceId")
    found = dict(zip(logical, physical, strict=True))
    return {name: found[name] for name in STAYS}


def _held(named: Mapping[str, str], env: Mapping[str, str]) -> dict[str, Any]:
    names = {**named, "IntakeBucketPolicy": named["IntakeBucket"]}
    return {name: _ask((*question, names[name]), env) for name, question in STAYS.items()}


def _ask(question: tuple[str, ...], env: Mapping[str, str]) -> Any:
    command = [str(tools.AWS), *question, "--output", "json"]
    told = subprocess.run(command, env=dict(env), stdout=subprocess.PIPE, check=False)
    if told.returncode:
        raise Failure(f"aws {' '.join(question)}")
    return json.loads(told.stdout or "null")
