"""Holds the template against rules that no linter knows, and beside what it speaks of.

Runs inside the SAM CLI's environment: `python template_rules.py TEMPLATE REPO`. Each
rule yields complaints, in the words of somebody who would have to mend them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

Resources = dict[str, dict[str, Any]]

WITHOUT_RESOURCES = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
"""Actions that IAM knows no resource for."""

MARGIN_S = 60
"""How much longer a message stays invisible than the function that works on it runs."""

LONGEST_S = 1209600
"""How long SQS keeps a message at most."""


def of_type(resources: Resources, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The resources of a type, by name, with their properties."""
    for name, resource in resources.items():
        if resource["Type"] == kind:
            yield name, resource.get("Properties", {})


def named(reference: Any) -> str:
    """The logical name that `!Ref` or `!GetAtt` refers to, or nothing."""
    if not isinstance(reference, dict):
        return ""
    target = reference.get("Ref") or reference.get("Fn::GetAtt") or ""
    return target.split(".")[0] if isinstance(target, str) else target[0]


def as_list(value: Any) -> list[Any]:
    """What may be one thing or several."""
    return value if isinstance(value, list) else [value]


def functions_log_for_a_while(resources: Resources, _: Path) -> Iterator[str]:
    """Each function has its own log group, and lines do not stay for ever."""
    for name, function in of_type(resources, "AWS::Serverless::Function"):
        group = resources.get(named(function.get("LoggingConfig", {}).get("LogGroup")))
        if group is None:
            yield f"{name} has no log group of its own"
    for name, group in of_type(resources, "AWS::Logs::LogGroup"):
        if "RetentionInDays" not in group:
            yield f"{name} keeps its lines for ever"


def no_event_is_lost(resources: Resources, _: Path) -> Iterator[str]:
    """Whatever wakes a function, there is a place for what the function could not do, and an alarm.

    A queue that feeds one has a dead-letter queue. What a clock wakes leaves why it failed in a queue, and
    is not tried again, since the next tick does the same. What one cannot take of a stream is in a queue too.
    One that nothing of this kind wakes is called by somebody who waits for the answer.
    """
    watched = {
        named(dimension["Value"])
        for _, alarm in of_type(resources, "AWS::CloudWatch::Alarm")
        for dimension in alarm.get("Dimensions", [])
    }
    for name, function in of_type(resources, "AWS::Serverless::Function"):
        for event in function.get("Events", {}).values():
            complaint = _unwatched(resources, watched, name, event)
            if complaint:
                yield f"{name} {complaint}"
        if not function.get("Events") and not _is_answered_to_somebody(resources, name):
            yield f"{name} is woken by nothing that is written here, and not by API Gateway alone either"


def _unwatched(resources: Resources, watched: set[str], name: str, event: dict[str, Any]) -> str:
    """What is wrong with an event of a function that nobody would hear of if it got lost, or nothing."""
    kind, properties = event["Type"], event["Properties"]
    function = resources[name]["Properties"]
    if kind == "SQS":
        queue = resources[named(properties["Queue"])]["Properties"]
        letters = named(queue.get("RedrivePolicy", {}).get("deadLetterTargetArn"))
        return "" if letters in watched else "has a queue without a dead-letter queue with an alarm"
    if kind == "Schedule":
        if name not in watched:
            return "is woken by a clock, and no alarm tells when it fails"
        kept = _leaves(resources, function, function.get("EventInvokeConfig", {}))
        return "" if kept else "is woken by a clock, and leaves nowhere why it failed"
    if kind == "DynamoDB":
        untaken = _leaves(resources, function, properties)
        return "" if untaken in watched else "leaves what it cannot take to no queue with an alarm"
    return f"is woken by {kind}, and nobody has thought of what becomes of lost events"


def _leaves(resources: Resources, function: dict[str, Any], properties: dict[str, Any]) -> str:
    """The queue that has what failed, if there is one and the function's role may send to it."""
    queue = named(properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"))
    role = resources[named(function["Role"])]["Properties"]
    sending = [stated for stated in _statements(role) if "sqs:SendMessage" in as_list(stated["Action"])]
    return queue if any(queue in map(named, as_list(stated["Resource"])) for stated in sending) else ""


def _is_answered_to_somebody(resources: Resources, name: str) -> bool:
    """Whether a function is called by API Gateway and by nobody else."""
    permissions = of_type(resources, "AWS::Lambda::Permission")
    callers = {stated["Principal"] for _, stated in permissions if named(stated["FunctionName"]) == name}
    return callers == {"apigateway.amazonaws.com"}


def _statements(role: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a role's own policies say, as if every condition of the stack held."""
    for policy in role.get("Policies", []):
        for stated in policy["PolicyDocument"]["Statement"]:
            yield stated["Fn::If"][1] if "Fn::If" in stated else stated


def queues_keep_what_they_have(resources: Resources, _: Path) -> Iterator[str]:
    """What is in a queue is encrypted, and is there until somebody has had the time to look."""
    for name, queue in of_type(resources, "AWS::SQS::Queue"):
        if not queue.get("SqsManagedSseEnabled"):
            yield f"{name} is not encrypted"
        if queue.get("MessageRetentionPeriod") != LONGEST_S:
            yield f"{name} keeps a message for less than {LONGEST_S} s"


def queues_outlast_functions(resources: Resources, repo: Path) -> Iterator[str]:
    """A message comes back only when whoever worked on it can no longer do so.

    The function is over by then, and the lease of the post has run out, so that the next one can work.
    """
    lease_s = lease_term_s(repo)
    for name, function in of_type(resources, "AWS::Serverless::Function"):
        for event in function.get("Events", {}).values():
            if event["Type"] != "SQS":
                continue
            hidden_s = resources[named(event["Properties"]["Queue"])]["Properties"]["VisibilityTimeout"]
            if hidden_s < function["Timeout"] + MARGIN_S:
                yield f"{name} may run for {function['Timeout']} s, and a message is back after {hidden_s} s"
            if hidden_s <= lease_s:
                yield f"{name}: a message is back after {hidden_s} s, while a lease lasts {lease_s} s"


def lease_term_s(repo: Path) -> int:
    """How long a lease lasts, as the code has it."""
    for source in (repo / "functions" / "domain" / "src" / "post").glob("*.rs"):
        found = re.search(r"LEASE_TERM: Duration = Duration::from_(mins|secs)\((\d+)\)", source.read_text())
        if found:
            return int(found[2]) * (60 if found[1] == "mins" else 1)
    raise SystemExit("no LEASE_TERM in functions/domain/src/post")


def permissions_are_narrow(resources: Resources, _: Path) -> Iterator[str]:
    """No statement of a role names every action or every resource."""
    for name, role in of_type(resources, "AWS::IAM::Role"):
        if role.get("ManagedPolicyArns"):
            yield f"{name} has policies that are not written here"
        for statement in _statements(role):
            actions = set(as_list(statement["Action"]))
            if not statement.get("Sid"):
                yield f"{name}: a statement about {', '.join(actions)} does not say what it is for"
            if any("*" in action for action in actions):
                yield f"{name}: {', '.join(actions)} is more than one can check"
            if "*" in as_list(statement["Resource"]) and not actions <= WITHOUT_RESOURCES:
                yield f"{name}: {statement.get('Sid')} is about every resource there is"


def alarms_say_what_to_do(resources: Resources, repo: Path) -> Iterator[str]:
    """Each alarm has its paragraph in the runbook, names it, and no paragraph is about none."""
    runbook = (repo / "docs" / "runbook.md").read_text()
    paragraphs = set(re.findall(r"^### (\w+Alarm)$", runbook, re.MULTILINE))
    alarms = dict(of_type(resources, "AWS::CloudWatch::Alarm"))
    for name, alarm in alarms.items():
        description = alarm["AlarmDescription"]
        if f"docs/runbook.md#{name.lower()}" not in str(description):
            yield f"{name} does not say where its paragraph is"
        if name not in paragraphs:
            yield f"{name} has no paragraph in docs/runbook.md"
        if "TreatMissingData" not in alarm:
            yield f"{name} does not say what silence means"
    for name in sorted(paragraphs - set(alarms)):
        yield f"docs/runbook.md has a paragraph about {name}, which is no alarm"


def what_matters_is_kept(resources: Resources, _: Path) -> Iterator[str]:
    """What holds data says what becomes of it, and what stays can be restored."""
    kinds = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SecretsManager::Secret")
    for name, resource in resources.items():
        if resource["Type"] not in kinds:
            continue
        deleted, replaced = resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")
        if not deleted or not replaced:
            yield f"{name} does not say what becomes of it when the stack is deleted or it is replaced"
        properties = resource["Properties"]
        if resource["Type"] == "AWS::DynamoDB::Table" and deleted == "Retain":
            recovery = properties.get("PointInTimeRecoverySpecification", {})
            recoverable = recovery.get("PointInTimeRecoveryEnabled")
            if not recoverable or not properties.get("DeletionProtectionEnabled"):
                yield f"{name} is to stay, and can neither be restored nor is safe from deletion"


def the_dashboard_can_be_read(resources: Resources, _: Path) -> Iterator[str]:
    """Its body is JSON, and no two widgets lie on each other."""
    for name, dashboard in of_type(resources, "AWS::CloudWatch::Dashboard"):
        taken: set[tuple[int, int]] = set()
        try:
            widgets = json.loads(dashboard["DashboardBody"]["Fn::Sub"])["widgets"]
        except (ValueError, KeyError) as wrong:
            yield f"{name} is no JSON: {wrong}"
            continue
        for widget in widgets:
            x, y, width, height = (widget[part] for part in ("x", "y", "width", "height"))
            cells = {(column, row) for column in range(x, x + width) for row in range(y, y + height)}
            if taken & cells or x + width > 24:
                yield f"{name}: {widget['properties']['title']!r} does not fit where it is"
            taken |= cells


RULES = (
    functions_log_for_a_while,
    no_event_is_lost,
    queues_keep_what_they_have,
    queues_outlast_functions,
    permissions_are_narrow,
    alarms_say_what_to_do,
    what_matters_is_kept,
    the_dashboard_can_be_read,
)


def parameters_are_bounded(template: dict[str, Any]) -> Iterator[str]:
    """Each parameter says what it is for and what it may be, and is in a group with a label."""
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = {name for group in interface["ParameterGroups"] for name in group["Parameters"]}
    for name, parameter in template["Parameters"].items():
        if "Description" not in parameter:
            yield f"{name} does not say what it is for"
        if not parameter.keys() & {"AllowedValues", "AllowedPattern", "MaxValue"}:
            yield f"{name} may be anything"
        if name not in grouped or name not in interface["ParameterLabels"]:
            yield f"{name} has no group or no label"
    for name in sorted(grouped - set(template["Parameters"])):
        yield f"{name} is in a group, and is no parameter"
    for name, output in template["Outputs"].items():
        if "Description" not in output:
            yield f"the output {name} does not say what it is"


def main() -> int:
    """Says everything that is wrong."""
    template = yaml_parse(Path(sys.argv[1]).read_text())
    repo = Path(sys.argv[2])
    complaints = list(parameters_are_bounded(template))
    for rule in RULES:
        complaints += rule(template["Resources"], repo)
    sys.stdout.write("".join(f"{complaint}\n" for complaint in complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
