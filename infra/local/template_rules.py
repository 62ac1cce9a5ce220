"""Checks the template against rules of this project that no linter knows.

Runs in the SAM CLI's virtual environment: `python template_rules.py TEMPLATE REPO`. A
rule is a function whose docstring states it and that yields a message for each violation.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

from template import Resources, Template, as_list, referenced_name, resources_of_type

RUNBOOK = "docs/operate.md"
"""The page with one section for each alarm, titled with the alarm's logical name."""

ACTIONS_WITHOUT_RESOURCES = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
"""Actions that IAM allows for the resource `*` only."""

VISIBILITY_MARGIN_S = 60
"""By how much a queue's visibility timeout must exceed the timeout of the function that reads it."""

MAX_RETENTION_S = 1209600
"""The longest time for which SQS keeps a message: 14 days."""

DASHBOARD_COLUMNS = 24


def log_groups_have_retention(resources: Resources, _: Path) -> Iterator[str]:
    """Each function has a log group in the template, and each log group a retention time."""
    for name, function in resources_of_type(resources, "AWS::Serverless::Function"):
        log_group = referenced_name(function.get("LoggingConfig", {}).get("LogGroup"))
        if log_group not in resources:
            yield f"{name} has no log group of its own"
    for name, group in resources_of_type(resources, "AWS::Logs::LogGroup"):
        if "RetentionInDays" not in group:
            yield f"{name} has no retention time"


def failed_events_are_kept(resources: Resources, _: Path) -> Iterator[str]:
    """Each trigger of a function keeps its failed events in a queue, and an alarm reports the failure.

    - SQS: the queue has a dead-letter queue with an alarm.
    - Schedule: the function has an alarm, and a destination that keeps the errors. Failed runs are not
      retried, because the next run does the same work.
    - DynamoDB stream: the destination for failed records has an alarm.
    - No trigger in the template: only API Gateway may invoke the function, and it reports a failure to
      the caller.
    """
    with_alarm = {
        referenced_name(dimension["Value"])
        for _, alarm in resources_of_type(resources, "AWS::CloudWatch::Alarm")
        for dimension in alarm.get("Dimensions", [])
    } - {""}
    for name, function in resources_of_type(resources, "AWS::Serverless::Function"):
        for event in function.get("Events", {}).values():
            violation = _trigger_violation(resources, with_alarm, name, event)
            if violation:
                yield f"{name} {violation}"
        if not function.get("Events") and not _only_api_gateway_invokes(resources, name):
            yield f"{name} has no trigger in the template, and other services than API Gateway may invoke it"


def _trigger_violation(resources: Resources, with_alarm: set[str], name: str, event: dict[str, Any]) -> str:
    """Returns why failed events of a trigger could be lost without an alarm; empty if they cannot."""
    trigger, properties = event["Type"], event["Properties"]
    function = resources[name]["Properties"]
    if trigger == "SQS":
        queue = resources[referenced_name(properties["Queue"])]["Properties"]
        dead_letter_queue = referenced_name(queue.get("RedrivePolicy", {}).get("deadLetterTargetArn"))
        violation = "reads a queue without a dead-letter queue with an alarm"
        return "" if dead_letter_queue in with_alarm else violation
    if trigger == "Schedule":
        if name not in with_alarm:
            return "is scheduled, and no alarm reports its failures"
        has_destination = _failure_queue(resources, function, function.get("EventInvokeConfig", {}))
        return "" if has_destination else "is scheduled, and no queue keeps its errors"
    if trigger == "DynamoDB":
        violation = "reads a stream, and its failed records go to no queue with an alarm"
        return "" if _failure_queue(resources, function, properties) in with_alarm else violation
    return f"has a trigger of type {trigger}, which this rule does not know"


def _failure_queue(resources: Resources, function: dict[str, Any], properties: dict[str, Any]) -> str:
    """Returns the on-failure queue; empty if there is none or the function's role may not send to it."""
    destination = properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    queue = referenced_name(destination)
    role = resources[referenced_name(function["Role"])]["Properties"]
    return queue if queue in _queues_of(role) else ""


def _only_api_gateway_invokes(resources: Resources, name: str) -> bool:
    """Returns whether API Gateway may invoke a function and no other service may."""
    permissions = (permission for _, permission in resources_of_type(resources, "AWS::Lambda::Permission"))
    principals = {
        permission["Principal"]
        for permission in permissions
        if referenced_name(permission["FunctionName"]) == name
    }
    return principals == {"apigateway.amazonaws.com"}


def _statements(role: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the statements of a role's inline policies, including those that depend on a condition."""
    for policy in role.get("Policies", []):
        for statement in policy["PolicyDocument"]["Statement"]:
            yield statement["Fn::If"][1] if "Fn::If" in statement else statement


def queues_are_encrypted_and_keep_messages(resources: Resources, _: Path) -> Iterator[str]:
    """Each queue is encrypted and keeps messages for 14 days, so that a person has time to react."""
    for name, queue in resources_of_type(resources, "AWS::SQS::Queue"):
        if not queue.get("SqsManagedSseEnabled"):
            yield f"{name} is not encrypted"
        if queue.get("MessageRetentionPeriod") != MAX_RETENTION_S:
            yield f"{name} does not keep messages for {MAX_RETENTION_S} s"


def visibility_timeout_exceeds_timeout_and_lease(resources: Resources, repo: Path) -> Iterator[str]:
    """The queue delivers a message again only after the invocation has ended and its lease has expired.

    Otherwise the next worker could not claim the post, and the delivery would be wasted.
    """
    lease_s = lease_term_s(repo)
    for name, function in resources_of_type(resources, "AWS::Serverless::Function"):
        for event in function.get("Events", {}).values():
            if event["Type"] != "SQS":
                continue
            queue = resources[referenced_name(event["Properties"]["Queue"])]["Properties"]
            visibility_s, timeout_s = queue["VisibilityTimeout"], function["Timeout"]
            if visibility_s < timeout_s + VISIBILITY_MARGIN_S:
                yield f"{name} may run for {timeout_s} s; a message is visible again after {visibility_s} s"
            if visibility_s <= lease_s:
                yield f"{name}: a message is visible again after {visibility_s} s; a lease lasts {lease_s} s"


def lease_term_s(repo: Path) -> int:
    """Returns LEASE_TERM of functions/domain/src/post in seconds."""
    for source in (repo / "functions" / "domain" / "src" / "post").glob("*.rs"):
        found = re.search(r"LEASE_TERM: Duration = Duration::from_(mins|secs)\((\d+)\)", source.read_text())
        if found:
            return int(found[2]) * (60 if found[1] == "mins" else 1)
    raise SystemExit("no LEASE_TERM in functions/domain/src/post")


def own_queue_may_loop(resources: Resources, _: Path) -> Iterator[str]:
    """A function that may send messages to the queue that it reads has `RecursiveLoop: Allow`.

    Otherwise Lambda stops it after a chain of about 16 invocations. Any other function has not, so that
    Lambda still detects a loop that is a mistake.
    """
    for name, function in resources_of_type(resources, "AWS::Serverless::Function"):
        events = function.get("Events", {}).values()
        read = {referenced_name(event["Properties"]["Queue"]) for event in events if event["Type"] == "SQS"}
        role = resources[referenced_name(function["Role"])]["Properties"]
        sent = _queues_of(role)
        if read & sent and function.get("RecursiveLoop") != "Allow":
            yield f"{name} wakes itself through {', '.join(read & sent)} and lacks RecursiveLoop: Allow"
        if not read & sent and "RecursiveLoop" in function:
            yield f"{name} does not wake itself and has a RecursiveLoop"


def _queues_of(role: dict[str, Any]) -> set[str]:
    """Returns the queues to which a role may send messages."""
    return {
        referenced_name(resource)
        for statement in _statements(role)
        if "sqs:SendMessage" in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


UNFINISHED_STATES = {"held", "scheduled", "queued", "uploading", "processing"}
"""States of a post that still needs its object version."""

DELETABLE_STATES = {"published", "delivered"}
"""States in which TikTok has the whole video."""


def lifecycle_keeps_needed_versions(resources: Resources, _: Path) -> Iterator[str]:
    """No lifecycle rule removes a version that an unfinished post needs, or that only a person may delete.

    A rule that removes a version names a state by the tag `dropcast:state`. A current version is removed
    only if TikTok has the whole video.
    """
    for name, bucket in resources_of_type(resources, "AWS::S3::Bucket"):
        for entry in bucket.get("LifecycleConfiguration", {}).get("Rules", []):
            rule = entry["Fn::If"][1] if "Fn::If" in entry else entry
            tags = {tag["Key"]: tag["Value"] for tag in rule.get("TagFilters", [])}
            state = tags.get("dropcast:state")
            removes_current = bool(rule.keys() & {"ExpirationInDays", "ExpirationDate"})
            removes = removes_current or bool(
                rule.keys() & {"NoncurrentVersionExpiration", "NoncurrentVersionExpirationInDays"}
            )
            if removes and (state is None or state in UNFINISHED_STATES):
                yield f"{name}: {rule['Id']} removes versions of unfinished posts"
            if removes_current and state not in DELETABLE_STATES:
                yield f"{name}: {rule['Id']} removes current versions with the state {state}"


def permissions_are_narrow(resources: Resources, _: Path) -> Iterator[str]:
    """No role has managed policies; each statement has a Sid, exact actions and exact resources."""
    for name, role in resources_of_type(resources, "AWS::IAM::Role"):
        if role.get("ManagedPolicyArns"):
            yield f"{name} has managed policies, whose content is not in the template"
        for statement in _statements(role):
            actions = set(as_list(statement["Action"]))
            if not statement.get("Sid"):
                yield f"{name}: the statement with {', '.join(actions)} has no Sid"
            if any("*" in action for action in actions):
                yield f"{name}: {', '.join(actions)} contains a wildcard"
            if "*" in as_list(statement["Resource"]) and not actions <= ACTIONS_WITHOUT_RESOURCES:
                yield f"{name}: {statement.get('Sid')} applies to every resource"


def alarms_are_documented(resources: Resources, repo: Path) -> Iterator[str]:
    """Each alarm links to its section of the runbook, and each section belongs to an alarm."""
    sections = set(re.findall(r"^### (\w+Alarm)$", (repo / RUNBOOK).read_text(), re.MULTILINE))
    alarms = dict(resources_of_type(resources, "AWS::CloudWatch::Alarm"))
    for name, alarm in alarms.items():
        description = alarm["AlarmDescription"]
        if f"{RUNBOOK}#{name.lower()}" not in str(description):
            yield f"the description of {name} does not link to {RUNBOOK}#{name.lower()}"
        if name not in sections:
            yield f"{name} has no section in {RUNBOOK}"
        if "TreatMissingData" not in alarm:
            yield f"{name} has no TreatMissingData"
    for name in sorted(sections - set(alarms)):
        yield f"{RUNBOOK} has a section {name}, which is not an alarm of the template"


def data_survives(resources: Resources, _: Path) -> Iterator[str]:
    """Each resource that stores data has a deletion policy; retained tables can be restored.

    Retained tables have point-in-time recovery and deletion protection.
    """
    types = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SecretsManager::Secret")
    for name, resource in resources.items():
        if resource["Type"] not in types:
            continue
        on_deletion, on_replacement = resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")
        if not on_deletion or not on_replacement:
            yield f"{name} needs a DeletionPolicy and an UpdateReplacePolicy"
        properties = resource["Properties"]
        if resource["Type"] == "AWS::DynamoDB::Table" and on_deletion == "Retain":
            recovery = properties.get("PointInTimeRecoverySpecification", {})
            recoverable = recovery.get("PointInTimeRecoveryEnabled")
            if not recoverable or not properties.get("DeletionProtectionEnabled"):
                yield f"{name} is retained and needs point-in-time recovery and deletion protection"


def dashboard_widgets_fit(resources: Resources, _: Path) -> Iterator[str]:
    """The dashboard's body is valid JSON, and its widgets neither overlap nor exceed 24 columns."""
    for name, dashboard in resources_of_type(resources, "AWS::CloudWatch::Dashboard"):
        taken: set[tuple[int, int]] = set()
        try:
            widgets = json.loads(dashboard["DashboardBody"]["Fn::Sub"])["widgets"]
        except (ValueError, KeyError) as error:
            yield f"{name} is not valid JSON: {error}"
            continue
        for widget in widgets:
            x, y, width, height = (widget[key] for key in ("x", "y", "width", "height"))
            cells = {(column, row) for column in range(x, x + width) for row in range(y, y + height)}
            if taken & cells or x + width > DASHBOARD_COLUMNS:
                yield f"{name}: widget {widget['properties']['title']!r} overlaps another or is too far right"
            taken |= cells


RULES = (
    log_groups_have_retention,
    failed_events_are_kept,
    queues_are_encrypted_and_keep_messages,
    visibility_timeout_exceeds_timeout_and_lease,
    own_queue_may_loop,
    lifecycle_keeps_needed_versions,
    permissions_are_narrow,
    alarms_are_documented,
    data_survives,
    dashboard_widgets_fit,
)


def parameters_are_described(template: Template) -> Iterator[str]:
    """Each parameter has a description, bounds, a group and a label; each output has a description."""
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = {name for group in interface["ParameterGroups"] for name in group["Parameters"]}
    for name, parameter in template["Parameters"].items():
        if "Description" not in parameter:
            yield f"the parameter {name} has no description"
        if not parameter.keys() & {"AllowedValues", "AllowedPattern", "MaxValue"}:
            yield f"the parameter {name} accepts any value"
        if name not in grouped or name not in interface["ParameterLabels"]:
            yield f"the parameter {name} has no group or no label"
    for name in sorted(grouped - set(template["Parameters"])):
        yield f"{name} is in a parameter group, but is not a parameter"
    for name, output in template["Outputs"].items():
        if "Description" not in output:
            yield f"the output {name} has no description"


def main() -> int:
    """Prints every violation; returns 1 if there is one."""
    template = yaml_parse(Path(sys.argv[1]).read_text())
    repo = Path(sys.argv[2])
    violations = list(parameters_are_described(template))
    for rule in RULES:
        violations += rule(template["Resources"], repo)
    sys.stdout.write("".join(f"{violation}\n" for violation in violations))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
