"""Holds what each function may do against what it does: `make permissions`.

Some stories are told with IAM enforced, and it is noted what each makes use of; a permission
that none uses is needless. Then each one is taken away, and a story is told that uses it: the first refusal
fails a run (`aftermath::nobody_was_refused_what_it_asked_for`), so a permission without
which no story is refused anything shows here. That takes a while, and is no part of `make test`.
"""

from __future__ import annotations

import json
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
from local_aws import IAM_VERSION, PERMISSIONS
from paths import LOGS, REPO
from processes import Lifetime, inherited, run, start
from progress import Failure, say, step
from state import Cloud, environment

NOT_ASKED_HERE = {
    "logs:CreateLogStream": "MiniStack writes the functions' logs by itself",
    "logs:PutLogEvents": "MiniStack writes the functions' logs by itself",
    "sqs:ReceiveMessage": "MiniStack's event source mapping takes messages by itself",
    "sqs:DeleteMessage": "MiniStack's event source mapping takes messages by itself",
    "sqs:GetQueueAttributes": "MiniStack's event source mapping takes messages by itself",
    "dynamodb:DescribeStream": "MiniStack's event source mapping reads streams by itself",
    "dynamodb:GetRecords": "MiniStack's event source mapping reads streams by itself",
    "dynamodb:GetShardIterator": "MiniStack's event source mapping reads streams by itself",
    "dynamodb:ListStreams": "MiniStack's event source mapping reads streams by itself",
    "xray:PutTraceSegments": "X-Ray is off in the local cloud",
    "xray:PutTelemetryRecords": "X-Ray is off in the local cloud",
    "SayWhatCouldNotBeTold": "MiniStack's event source mapping names by itself what was not taken",
    "SayWhichLooksFailed": "MiniStack leaves by itself what came of an event that nobody waits for",
}
"""What Lambda itself does with a role on AWS, and MiniStack without it: actions, and Sids of statements."""

ANY_STORY = "drops::a_drop_is_published_once_and_its_link_comes_back"

STORIES = {
    "publish": (
        ANY_STORY,
        "options::a_video_waits_for_its_sidecar_where_the_account_asks_for_one",
        "tokens::a_token_that_expires_at_the_init_is_refreshed_once_and_the_post_published_once",
        "limits::seven_drops_at_once_are_all_published_without_a_refusal",
    ),
    "status": (
        ANY_STORY,
        "schedule::a_scheduled_post_is_not_begun_before_its_time_and_is_published_after",
        "tokens::a_token_that_expires_while_tiktok_works_is_refreshed_and_the_same_publish_asked_about",
        "drafts::",
    ),
    "api": (
        "connect::a_user_who_consents_is_an_account_that_can_be_posted_to",
        "connect::accounts_are_shown_and_their_tokens_are_not",
        "connect::a_disconnected_account_is_revoked_and_forgotten_and_its_posts_wait",
        "connect::posts_that_wait_for_their_account_go_on_at_once_when_it_is_connected_again",
        "api::",
        "posts::a_held_post_that_is_cancelled_never_reaches_tiktok",
        "posts::posts_are_listed_the_newest_first_and_page_by_page",
        "uploads::",
        "webhooks::",
    ),
    "notices": ("notices::a_posts_whole_life_is_told_in_order_to_whoever_has_a_rule_for_it",),
}
"""What is told without a permission, until it is missed."""

TELL = ["cargo", "test", "--workspace", "--locked", "--test", "scenarios", "--profile", "local", "--"]
PATIENCE_S = 150.0
LOG = LOGS / "permissions-stories.log"


Use = tuple[str, str, str]
"""A role, and the statement and the action that it made use of."""


@dataclass(frozen=True)
class Grant:
    """An action that a statement of a role allows."""

    function: str
    role: str
    policy: str
    sid: str
    action: str
    resource: str | None
    """One of several resources; none, where the statement has one."""

    @property
    def use(self) -> Use:
        """What is noted where it lets a call through; the resource is not."""
        return self.role, self.sid, self.action

    def __str__(self) -> str:
        """Names it for whoever would remove it."""
        where = f" on {self.resource.rsplit(':', 1)[-1]}" if self.resource else ""
        return f"{self.function}: {self.sid} ({self.action}{where})"


def permissions(arguments: list[str]) -> int:
    """Looks for permissions that nobody needs: those that no story uses, and those that none misses.

    A word names those that are looked at: `status:`, `KeepPosts`, `kms:`; without one, all are.
    """
    wanted = " ".join(arguments)
    with lifecycle.cloud_for_one_run() as cloud:
        found = browser.ensure()
        told = inherited({**environment(cloud), **(found.environment() if found else {})})
        grants = [grant for grant in _grants(cloud) if wanted in str(grant)]
        say(f"  {len(grants)} actions are granted")
        stories = dict.fromkeys(story for grant in grants for story in STORIES[grant.function])
        used = {story: _used_by(story, told) for story in stories}
        needless = [str(grant) for grant in grants if not _is_missed(cloud, grant, used, told)]
    for complaint in needless:
        say(f"  needless: {complaint}")
    return 1 if needless else 0


def _grants(cloud: Cloud) -> Iterator[Grant]:
    """Every action of every statement of the functions' roles, as they are deployed."""
    for function, role in _roles(cloud):
        policies = cloud.caller.query("iam", IAM_VERSION, "ListRolePolicies", RoleName=role)
        for policy in texts(policies, "member"):
            for statement in _document(cloud.caller, role, policy)["Statement"]:
                for action in _list(statement["Action"]):
                    if {action, statement["Sid"]} & NOT_ASKED_HERE.keys():
                        continue
                    resources = _list(statement["Resource"])
                    for resource in resources:
                        one = resource if len(resources) > 1 else None
                        yield Grant(function, role, policy, statement["Sid"], action, one)


def _roles(cloud: Cloud) -> Iterator[tuple[str, str]]:
    """The functions that have a role of their own, each with that role."""
    told = cloud.caller.query(
        "cloudformation", deploy.CLOUDFORMATION_VERSION, "DescribeStackResources", StackName=deploy.STACK
    )
    logical, physical = texts(told, "LogicalResourceId"), texts(told, "PhysicalResourceId")
    for name, role in zip(logical, physical, strict=True):
        if name.endswith("Role"):
            yield name.removesuffix("Role").lower(), role


def _document(caller: Caller, role: str, policy: str) -> dict[str, Any]:
    told = caller.query("iam", IAM_VERSION, "GetRolePolicy", RoleName=role, PolicyName=policy)
    return json.loads(urllib.parse.unquote(texts(told, "PolicyDocument")[0]))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _noted() -> list[dict[str, str]]:
    return [json.loads(line) for line in PERMISSIONS.read_text().splitlines()] if PERMISSIONS.exists() else []


def _used_by(story: str, told: dict[str, str]) -> set[Use]:
    """What a story makes use of; raises `Failure` where it fails although nothing is missing."""
    PERMISSIONS.unlink(missing_ok=True)
    with step(f"told {story}"):
        if run([*TELL, story], env=told, cwd=REPO, log=LOG) != 0:
            raise Failure(story, LOG)
    return {(fact["role"], fact["sid"], fact["action"]) for fact in _noted() if fact["decision"] == "Allow"}


def _is_missed(cloud: Cloud, grant: Grant, used: dict[str, set[Use]], told: dict[str, str]) -> bool:
    """Whether some story that uses it is refused something without it."""
    with step(f"without {grant}") as remarks:
        stories = [story for story in STORIES[grant.function] if grant.use in used[story]]
        with _without(cloud.caller, grant):
            for story in stories:
                if _is_refused(grant, story, told):
                    remarks.append(story)
                    return True
        remarks.append("nobody missed it" if stories else "nobody uses it")
        return False


def _is_refused(grant: Grant, story: str, told: dict[str, str]) -> bool:
    PERMISSIONS.unlink(missing_ok=True)
    telling = start("a story", [*TELL, story], env=told, log=LOG, lifetime=Lifetime.WITH_US, cwd=REPO)
    deadline = time.monotonic() + PATIENCE_S
    try:
        while telling.alive() and time.monotonic() < deadline:
            if _was_refused(grant):
                return True
            time.sleep(0.3)
        return _was_refused(grant)
    finally:
        telling.stop()


def _was_refused(grant: Grant) -> bool:
    refused = (fact for fact in _noted() if fact["decision"] == "ImplicitDeny")
    return any(fact["role"] == grant.role and fact["action"] == grant.action for fact in refused)


@contextmanager
def _without(caller: Caller, grant: Grant) -> Iterator[None]:
    """A role without one permission, as long as the block lasts."""
    whole = _document(caller, grant.role, grant.policy)
    less = json.loads(json.dumps(whole))
    for statement in less["Statement"]:
        if statement["Sid"] != grant.sid:
            continue
        if grant.resource is None:
            statement["Action"] = [action for action in _list(statement["Action"]) if action != grant.action]
        else:
            statement["Resource"] = [one for one in _list(statement["Resource"]) if one != grant.resource]
    less["Statement"] = [statement for statement in less["Statement"] if statement["Action"]]
    _put(caller, grant, less)
    # A warm function has read the app's secret already, and would not miss it for minutes. One whose
    # handler is said anew is started anew, and all have the same.
    path = f"/2015-03-31/functions/{deploy.STACK}-{grant.function}/configuration"
    caller.rest("PUT", "lambda", path, Handler="bootstrap")
    try:
        yield
    finally:
        _put(caller, grant, whole)


def _put(caller: Caller, grant: Grant, document: dict[str, Any]) -> None:
    caller.query(
        "iam",
        IAM_VERSION,
        "PutRolePolicy",
        RoleName=grant.role,
        PolicyName=grant.policy,
        PolicyDocument=json.dumps(document),
    )
