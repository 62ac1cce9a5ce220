"""Finds IAM permissions that the functions do not need: `make permissions`.

1. Runs scenarios with IAM enforced and records which permissions each one uses.
2. Removes each permission in turn and runs the scenarios that use it, until IAM refuses a function's call.

A permission is needless if no scenario uses it, or if IAM refuses no call without it. This takes long, so
it is not part of `make test`. ministack_permissions.py writes the log of IAM's decisions that is read here.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import browser
import deploy
import lifecycle
from aws import Caller, texts
from local_aws import IAM_VERSION, PERMISSION_LOG
from paths import LOGS, REPO
from processes import Lifetime, inherited_environment, run, start
from progress import Failure, say, step
from state import Cloud, environment
from template import as_list, function_name

NOT_CHECKED = {
    "logs:CreateLogStream": "MiniStack writes the functions' logs without their role",
    "logs:PutLogEvents": "MiniStack writes the functions' logs without their role",
    "sqs:ReceiveMessage": "MiniStack's event source mapping receives messages without the role",
    "sqs:DeleteMessage": "MiniStack's event source mapping deletes messages without the role",
    "sqs:GetQueueAttributes": "MiniStack's event source mapping reads the queue without the role",
    "dynamodb:DescribeStream": "MiniStack's event source mapping reads streams without the role",
    "dynamodb:GetRecords": "MiniStack's event source mapping reads streams without the role",
    "dynamodb:GetShardIterator": "MiniStack's event source mapping reads streams without the role",
    "dynamodb:ListStreams": "MiniStack's event source mapping reads streams without the role",
    "xray:PutTraceSegments": "X-Ray is off in the local cloud",
    "xray:PutTelemetryRecords": "X-Ray is off in the local cloud",
    "ListVersions": "the bucket check begins once a day, so it runs before the permission is removed",
    "ListVideosOfSidecars": "the bucket check begins once a day, so it runs before the permission is removed",
    "FindDropsAndUploads": "the bucket check begins once a day, so it runs before the permission is removed",
    "SendFailedRuns": "MiniStack sends failed asynchronous invocations to the queue without the role",
}
"""Actions, and Sids of statements, that are not checked, with the reason."""

BASIC_SCENARIO = "drops::drop_is_published_once_with_its_link"

SCENARIOS = {
    "publish": (
        BASIC_SCENARIO,
        "options::required_sidecar_holds_the_video_until_it_comes",
        "drops::events::drop_for_unknown_account_fails",
        "observability::notices::ignored_drop_is_tagged_and_reported",
        "tokens::token_expired_at_init_is_refreshed_once",
        "limits::eight_concurrent_drops_are_published_without_refusal",
    ),
    "status": (
        BASIC_SCENARIO,
        "schedule::scheduled_post_begins_only_at_its_time",
        "tokens::token_expired_at_poll_is_refreshed_without_new_init",
        "drops::drafts::",
    ),
    "api": (
        "accounts::consenting_user_is_connected_and_can_post",
        "accounts::accounts_are_shown_without_tokens",
        "accounts::disconnect_revokes_and_deletes_tokens_and_posts_wait",
        "accounts::reconnect_resumes_waiting_posts_at_once",
        "posts::api::",
        "posts::cancelled_held_post_never_reaches_tiktok",
        "posts::posts_are_listed_newest_first_page_by_page",
        "uploads::",
        "webhooks::",
    ),
    "notices": (
        "observability::notices::every_state_change_is_published_in_order",
        "observability::notices::unreadable::unreadable_change_blocks_no_event_and_can_be_republished",
    ),
}
"""The scenarios that together use all permissions of a function, as filters of the test binary.

If a scenario is renamed, `make permissions` fails until it is renamed here.
"""

SCENARIO_COMMAND = [
    *("cargo", "test", "--workspace", "--locked", "--test", "scenarios", "--profile", "local", "--"),
]
SCENARIO_TIMEOUT_S = 150.0
LOG = LOGS / "permissions-scenarios.log"


Use = tuple[str, str, str]
"""A role, and the statement (Sid) and action that allowed one of its calls."""


@dataclass(frozen=True)
class Permission:
    """An action that a statement of a role allows."""

    function: str
    role: str
    policy: str
    sid: str
    action: str
    resource: str | None
    """The resource, if the statement has several; otherwise None."""

    @property
    def use(self) -> Use:
        """What the log records when this permission allows a call. It does not record the resource."""
        return self.role, self.sid, self.action

    def __str__(self) -> str:
        """Names the permission so that a person finds it in the template."""
        suffix = f" on {self.resource.rsplit(':', 1)[-1]}" if self.resource else ""
        return f"{self.function}: {self.sid} ({self.action}{suffix})"


def permissions(arguments: list[str]) -> int:
    """Prints the needless permissions; returns 1 if there are any.

    An argument such as `status:`, `UpdatePosts` or `kms:` selects the permissions whose text contains it.
    """
    wanted = " ".join(arguments)
    with lifecycle.cloud_for_one_run() as cloud:
        chromium = browser.ensure()
        env = inherited_environment({**environment(cloud), **(chromium.environment() if chromium else {})})
        checked = [permission for permission in _permissions(cloud) if wanted in str(permission)]
        say(f"  {len(checked)} permissions to check")
        scenarios = list(dict.fromkeys(name for one in checked for name in SCENARIOS[one.function]))
        _ensure_exist(scenarios, env)
        used = {scenario: _permissions_used(scenario, env) for scenario in scenarios}
        needless = [str(one) for one in checked if not _is_needed(cloud, one, used, env)]
    for permission in needless:
        say(f"  needless: {permission}")
    return 1 if needless else 0


def _permissions(cloud: Cloud) -> Iterator[Permission]:
    """Yields every action of every statement of the functions' roles, as deployed."""
    for function, role in _function_roles(cloud):
        policies = cloud.caller.query("iam", IAM_VERSION, "ListRolePolicies", RoleName=role)
        for policy in texts(policies, "member"):
            for statement in _policy_document(cloud.caller, role, policy)["Statement"]:
                for action in as_list(statement["Action"]):
                    if {action, statement["Sid"]} & NOT_CHECKED.keys():
                        continue
                    resources = as_list(statement["Resource"])
                    for resource in resources if len(resources) > 1 else [None]:
                        yield Permission(function, role, policy, statement["Sid"], action, resource)


def _function_roles(cloud: Cloud) -> Iterator[tuple[str, str]]:
    """Yields each function with the name of its role."""
    for logical_id, physical_id in deploy.stack_resources(cloud.caller).items():
        if logical_id.endswith("Role"):
            yield function_name(logical_id), physical_id


def _policy_document(caller: Caller, role: str, policy: str) -> dict[str, Any]:
    response = caller.query("iam", IAM_VERSION, "GetRolePolicy", RoleName=role, PolicyName=policy)
    return json.loads(urllib.parse.unquote(texts(response, "PolicyDocument")[0]))


def _log_entries() -> list[dict[str, str]]:
    if not PERMISSION_LOG.exists():
        return []
    return [json.loads(line) for line in PERMISSION_LOG.read_text().splitlines()]


def _ensure_exist(scenarios: list[str], env: dict[str, str]) -> None:
    """Raises `Failure` if a filter matches no scenario. Otherwise permissions would seem needless."""
    with step("listed the scenarios"):
        listed = subprocess.run(
            [*SCENARIO_COMMAND, "--list"], env=env, cwd=REPO, stdout=subprocess.PIPE, text=True, check=False
        )
        if listed.returncode != 0:
            raise Failure("listing the scenarios")
    for scenario in scenarios:
        if scenario not in listed.stdout:
            raise Failure(f"{scenario} matches no scenario; correct SCENARIOS in infra/local/permissions.py")


def _permissions_used(scenario: str, env: dict[str, str]) -> set[Use]:
    """Returns the permissions that a scenario uses. Raises `Failure` if it fails with all permissions."""
    PERMISSION_LOG.unlink(missing_ok=True)
    with step(f"ran {scenario}"):
        if run([*SCENARIO_COMMAND, scenario], env=env, cwd=REPO, log=LOG) != 0:
            raise Failure(scenario, LOG)
    return {
        (entry["role"], entry["sid"], entry["action"])
        for entry in _log_entries()
        if entry["decision"] == "Allow"
    }


def _is_needed(cloud: Cloud, permission: Permission, used: dict[str, set[Use]], env: dict[str, str]) -> bool:
    """Returns whether IAM refuses a call in some scenario while the permission is removed."""
    with step(f"without {permission}") as remarks:
        users = [name for name in SCENARIOS[permission.function] if permission.use in used[name]]
        with _removed(cloud.caller, permission):
            for scenario in users:
                if _causes_refusal(permission, scenario, env):
                    remarks.append(f"refused in {scenario}")
                    return True
        remarks.append("no call was refused" if users else "no scenario uses it")
        return False


def _causes_refusal(permission: Permission, scenario: str, env: dict[str, str]) -> bool:
    """Runs a scenario until IAM refuses a call that needs the permission, at most 150 s."""
    PERMISSION_LOG.unlink(missing_ok=True)
    command = [*SCENARIO_COMMAND, scenario]
    running = start("a scenario", command, env=env, log=LOG, lifetime=Lifetime.THIS_COMMAND, cwd=REPO)
    deadline = time.monotonic() + SCENARIO_TIMEOUT_S
    try:
        while running.alive() and time.monotonic() < deadline:
            if _was_refused(permission):
                return True
            time.sleep(0.3)
        return _was_refused(permission)
    finally:
        running.stop()


def _was_refused(permission: Permission) -> bool:
    refused = (entry for entry in _log_entries() if entry["decision"] == "ImplicitDeny")
    return any(entry["role"] == permission.role and entry["action"] == permission.action for entry in refused)


@contextmanager
def _removed(caller: Caller, permission: Permission) -> Iterator[None]:
    """Removes a permission from its role for the duration of the block."""
    original = _policy_document(caller, permission.role, permission.policy)
    reduced = json.loads(json.dumps(original))
    for statement in reduced["Statement"]:
        if statement["Sid"] != permission.sid:
            continue
        if permission.resource is None:
            actions = as_list(statement["Action"])
            statement["Action"] = [action for action in actions if action != permission.action]
        else:
            resources = as_list(statement["Resource"])
            statement["Resource"] = [one for one in resources if one != permission.resource]
    reduced["Statement"] = [statement for statement in reduced["Statement"] if statement["Action"]]
    _put_policy(caller, permission, reduced)
    # A running process caches the app's secret for minutes, and would not read it again. An update of the
    # configuration, even with the same handler, makes Lambda start a new process.
    path = f"/2015-03-31/functions/{deploy.STACK}-{permission.function}/configuration"
    caller.rest("PUT", "lambda", path, Handler="bootstrap")
    try:
        yield
    finally:
        _put_policy(caller, permission, original)


def _put_policy(caller: Caller, permission: Permission, document: dict[str, Any]) -> None:
    caller.query(
        "iam",
        IAM_VERSION,
        "PutRolePolicy",
        RoleName=permission.role,
        PolicyName=permission.policy,
        PolicyDocument=json.dumps(document),
    )
