"""Generates docs/configuration.md from the template's parameters: `configuration.py TEMPLATE PAGE`.

With `--check` the page is compared instead of written. Runs in the SAM CLI's virtual
environment, whose parser reads a template as AWS does. To change a description, change
it in the template and generate the page again.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

from template import Template, function_name, referenced_name, resources_of_type

HEAD = """# Configuration

All parameters of the stack. This page is generated from [template.yaml](../template.yaml), and `make check`
compares the two. Set a parameter when you deploy; CloudFormation keeps it for later deployments:

```sh
make deploy PARAMETERS='DefaultMode=direct PublishConcurrency=20'
```

The functions get a parameter as the environment variable that is listed with it. `cargo lambda` and
`sam local` accept the same variables.
"""
UNGROUPED = "Others"


def page(template: Template) -> str:
    """Returns the whole page."""
    parts = [HEAD]
    for label, names in _groups(template):
        sections = "".join(_parameter(template, name) for name in names)
        parts.append(f"## {label}\n\n{sections}".rstrip() + "\n")
    parts.append(_fixed_variables(template))
    return "\n".join(parts)


def _groups(template: Template) -> Iterator[tuple[str, list[str]]]:
    """Yields the parameters in the groups of the AWS console, then those without a group."""
    interface = template.get("Metadata", {}).get("AWS::CloudFormation::Interface", {})
    remaining = list(template["Parameters"])
    for group in interface.get("ParameterGroups", []):
        names = [name for name in group["Parameters"] if name in remaining]
        remaining = [name for name in remaining if name not in names]
        yield group["Label"]["default"], names
    if remaining:
        yield UNGROUPED, remaining


def _parameter(template: Template, name: str) -> str:
    """Returns the section of one parameter."""
    parameter = template["Parameters"][name]
    facts = {"Default": _default(parameter), "Allowed": _bounds(parameter)}
    for variable, functions in _variables_from(template, name).items():
        facts[f"`{variable}`"] = f"in {', '.join(functions)}"
    facts["Used by"] = ", ".join(f"`{resource}`" for resource in _resources_using(template, name))
    lines = "".join(f"- {label}: {value}\n" for label, value in facts.items() if value)
    return f"### {name}\n\n{_one_line(parameter['Description'])}\n\n{lines}\n"


def _default(parameter: dict[str, Any]) -> str:
    if "Default" not in parameter:
        return "none; it must be set"
    return f"`{parameter['Default']}`" if parameter["Default"] != "" else "empty"


def _bounds(parameter: dict[str, Any]) -> str:
    if "AllowedValues" in parameter:
        return ", ".join(f"`{value}`" for value in parameter["AllowedValues"])
    if "MinValue" in parameter or "MaxValue" in parameter:
        return f"{parameter.get('MinValue', '…')} to {parameter.get('MaxValue', '…')}"
    return _one_line(parameter.get("ConstraintDescription", ""))


def _variables_from(template: Template, parameter: str) -> dict[str, list[str]]:
    """Returns the environment variables that depend on a parameter, each with the functions that have it."""
    found: dict[str, list[str]] = {}
    for function, variables in _environments(template).items():
        for variable, value in variables.items():
            if parameter in _dependencies(template, value):
                found.setdefault(variable, []).append(function)
    return found


def _resources_using(template: Template, parameter: str) -> list[str]:
    """Returns the resources that depend on a parameter, except through environment variables."""
    users = ["Globals"] if parameter in _dependencies(template, template.get("Globals", {})) else []
    for name, resource in template["Resources"].items():
        properties = {**resource.get("Properties", {})}
        properties.pop("Environment", None)
        condition = _condition_dependencies(template, resource.get("Condition"))
        if parameter in _dependencies(template, properties) or parameter in condition:
            users.append(name)
    return users


def _environments(template: Template) -> dict[str, dict[str, Any]]:
    """Returns the environment variables of each function, by the function's name."""
    shared = template.get("Globals", {}).get("Function", {}).get("Environment", {}).get("Variables", {})
    return {
        function_name(name): {**shared, **properties.get("Environment", {}).get("Variables", {})}
        for name, properties in resources_of_type(template["Resources"], "AWS::Serverless::Function")
    }


def _fixed_variables(template: Template) -> str:
    """Returns the table of the environment variables that depend on no parameter."""
    parameters = set(template["Parameters"])
    rows: dict[tuple[str, str], list[str]] = {}
    for function, variables in _environments(template).items():
        for variable, value in variables.items():
            if not parameters & set(_dependencies(template, value)):
                rows.setdefault((variable, _display(value)), []).append(function)
    table = "".join(
        f"| `{name}` | {value} | {', '.join(functions)} |\n" for (name, value), functions in rows.items()
    )
    return (
        "## Variables without a parameter\n\n"
        "The stack sets these variables itself. Set them yourself if you run a function alone.\n\n"
        f"| variable | value | function |\n|---|---|---|\n{table}"
    )


def _display(value: Any) -> str:
    """Returns a value as Markdown; a reference is shown as the names that it refers to."""
    if isinstance(value, dict) and isinstance(value.get("Fn::Sub"), str):
        return f"`{value['Fn::Sub']}`"
    if isinstance(value, dict):
        return ", ".join(f"`{name}`" for name in dict.fromkeys(_references(value)))
    return f"`{value}`"


def _dependencies(template: Template, value: Any) -> list[str]:
    """Returns the names that a value refers to, with each condition replaced by its own references."""
    names: list[str] = []
    for name in _references(value):
        is_condition = name in template.get("Conditions", {})
        names += _condition_dependencies(template, name) if is_condition else [name]
    return names


def _condition_dependencies(template: Template, condition: str | None) -> list[str]:
    conditions = template.get("Conditions", {})
    if condition not in conditions:
        return []
    return _dependencies({**template, "Conditions": {}}, conditions[condition])


def _references(value: Any) -> Iterator[str]:
    """Yields every name in a `Ref`, `Fn::GetAtt`, `Fn::Sub` or `Fn::If` inside a value."""
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key in ("Ref", "Fn::GetAtt"):
                yield referenced_name({key: inner})
            elif key == "Fn::If":
                yield inner[0]
                yield from _references(inner[1:])
            elif key == "Fn::Sub":
                text = inner[0] if isinstance(inner, list) else inner
                yield from re.findall(r"\$\{([A-Za-z0-9]+)", text)
                yield from _references(inner[1:] if isinstance(inner, list) else [])
            else:
                yield from _references(inner)


def _one_line(text: str) -> str:
    """Returns a description on one line, with `<` escaped so that Markdown does not read it as HTML."""
    return " ".join(text.split()).replace("<", "\\<")


def main(template: Path, target: Path, *, check: bool) -> int:
    """Writes the page, or compares it with what would be written."""
    wanted = page(yaml_parse(template.read_text()))
    if not check:
        target.write_text(wanted)
        return 0
    if target.exists() and target.read_text() == wanted:
        return 0
    script = Path(__file__).name
    print(f"{target.name} does not match {template.name}. To generate it again:")
    print(f"  .tools/sam/bin/python infra/local/{script} {template.name} docs/{target.name}")
    return 1


if __name__ == "__main__":
    paths = [Path(argument) for argument in sys.argv[1:] if argument != "--check"]
    sys.exit(main(*paths, check="--check" in sys.argv))
