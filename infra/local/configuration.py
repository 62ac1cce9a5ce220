"""Writes docs/configuration.md from the template's parameters: `configuration.py TEMPLATE PAGE`.

With `--check` it writes nothing, and fails where the page is not what it would
write. Runs inside the SAM CLI's environment, which reads a template as AWS does.
What a parameter is for stands in the template and nowhere else.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

HEAD = """# Configuration

Every parameter of the stack, as [template.yaml](../template.yaml) has it; this page is made from it, and
`make check` holds them together. A parameter is set when deploying, and kept by CloudFormation from then on:

```sh
make deploy PARAMETERS='DefaultMode=direct PublishConcurrency=20'
```

A function gets a parameter as the variable that stands beside it; `cargo lambda` and `sam local` take the
same ones.
"""
OTHERS = "Others"


def page(template: dict[str, Any]) -> str:
    """The whole page."""
    parts = [HEAD]
    for label, names in _groups(template):
        parts.append(f"## {label}\n\n{''.join(_parameter(template, name) for name in names)}".rstrip() + "\n")
    parts.append(_variables(template))
    return "\n".join(parts)


def _groups(template: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """The parameters as the console groups them, and then those that are in no group."""
    interface = template.get("Metadata", {}).get("AWS::CloudFormation::Interface", {})
    left = list(template["Parameters"])
    for group in interface.get("ParameterGroups", []):
        names = [name for name in group["Parameters"] if name in left]
        left = [name for name in left if name not in names]
        yield group["Label"]["default"], names
    if left:
        yield OTHERS, left


def _parameter(template: dict[str, Any], name: str) -> str:
    stated = template["Parameters"][name]
    facts = {"Default": _default(stated), "Allowed": _bounds(stated)}
    for variable, functions in _readers(template, name):
        facts[f"`{variable}`"] = f"of {', '.join(functions)}"
    facts["Used by"] = ", ".join(f"`{resource}`" for resource in _users(template, name))
    lines = "".join(f"- {what}: {said}\n" for what, said in facts.items() if said)
    return f"### {name}\n\n{_prose(stated['Description'])}\n\n{lines}\n"


def _default(stated: dict[str, Any]) -> str:
    if "Default" not in stated:
        return "none; it must be set"
    return f"`{stated['Default']}`" if stated["Default"] != "" else "empty"


def _bounds(stated: dict[str, Any]) -> str:
    if "AllowedValues" in stated:
        return ", ".join(f"`{value}`" for value in stated["AllowedValues"])
    if "MinValue" in stated or "MaxValue" in stated:
        return f"{stated.get('MinValue', '…')} to {stated.get('MaxValue', '…')}"
    return _prose(stated.get("ConstraintDescription", ""))


def _readers(template: dict[str, Any], name: str) -> list[tuple[str, list[str]]]:
    """The variables that come from a parameter, each with the functions that get it."""
    found: dict[str, list[str]] = {}
    for function, variables in _environments(template).items():
        for variable, value in variables.items():
            if name in _named(template, value):
                found.setdefault(variable, []).append(function)
    return list(found.items())


def _users(template: dict[str, Any], name: str) -> list[str]:
    """What else of the stack depends on a parameter, beside the functions' variables."""
    users = ["Globals"] if name in _named(template, template.get("Globals", {})) else []
    for resource, stated in template["Resources"].items():
        properties = {**stated.get("Properties", {})}
        properties.pop("Environment", None)
        if name in _named(template, properties) or name in _conditions(template, stated.get("Condition")):
            users.append(resource)
    return users


def _environments(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each function's variables, by its name."""
    functions = {
        resource.removesuffix("Function").lower(): stated["Properties"]
        for resource, stated in template["Resources"].items()
        if stated["Type"] == "AWS::Serverless::Function"
    }
    everyones = template.get("Globals", {}).get("Function", {}).get("Environment", {}).get("Variables", {})
    return {
        name: {**everyones, **properties.get("Environment", {}).get("Variables", {})}
        for name, properties in functions.items()
    }


def _variables(template: dict[str, Any]) -> str:
    """The table of the variables that come from no parameter."""
    parameters = set(template["Parameters"])
    rows: dict[tuple[str, str], list[str]] = {}
    for function, variables in _environments(template).items():
        for variable, value in variables.items():
            if not parameters & set(_named(template, value)):
                rows.setdefault((variable, _value(value)), []).append(function)
    table = "".join(f"| `{name}` | {value} | {', '.join(who)} |\n" for (name, value), who in rows.items())
    return (
        "## What the stack sets by itself\n\n"
        "The functions' other variables; whoever runs a function alone sets them.\n\n"
        f"| variable | value | function |\n|---|---|---|\n{table}"
    )


def _value(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("Fn::Sub"), str):
        return f"`{value['Fn::Sub']}`"
    if isinstance(value, dict):
        return ", ".join(f"`{name}`" for name in dict.fromkeys(_references(value)))
    return f"`{value}`"


def _named(template: dict[str, Any], value: Any) -> list[str]:
    """The parameters that a value depends on, also by a condition."""
    names: list[str] = []
    for name in _references(value):
        names += _conditions(template, name) if name in template.get("Conditions", {}) else [name]
    return names


def _conditions(template: dict[str, Any], condition: str | None) -> list[str]:
    stated = template.get("Conditions", {})
    return _named({**template, "Conditions": {}}, stated[condition]) if condition in stated else []


def _references(value: Any) -> Iterator[str]:
    """Every name that `Ref`, `Fn::GetAtt`, `Fn::Sub` or `Fn::If` mention in a value."""
    if isinstance(value, list):
        for part in value:
            yield from _references(part)
    elif isinstance(value, dict):
        for key, inside in value.items():
            if key == "Ref":
                yield inside
            elif key == "Fn::GetAtt":
                yield inside[0] if isinstance(inside, list) else inside.split(".")[0]
            elif key == "Fn::If":
                yield inside[0]
                yield from _references(inside[1:])
            elif key == "Fn::Sub":
                text = inside[0] if isinstance(inside, list) else inside
                yield from re.findall(r"\$\{([A-Za-z0-9]+)", text)
                yield from _references(inside[1:] if isinstance(inside, list) else [])
            else:
                yield from _references(inside)


def _prose(text: str) -> str:
    """A description in one line; what it has in angle brackets is no HTML."""
    return " ".join(text.split()).replace("<", "\\<")


def main(template: Path, written: Path, *, check: bool) -> int:
    """Writes the page, or compares it."""
    wanted = page(yaml_parse(template.read_text()))
    if not check:
        written.write_text(wanted)
        return 0
    if written.exists() and written.read_text() == wanted:
        return 0
    here = Path(__file__).name
    print(f"{written.name} is not what {template.name} says; this writes it:")
    print(f"  .tools/sam/bin/python infra/local/{here} {template.name} docs/{written.name}")
    return 1


if __name__ == "__main__":
    paths = [Path(argument) for argument in sys.argv[1:] if argument != "--check"]
    sys.exit(main(*paths, check="--check" in sys.argv))
