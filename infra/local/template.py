"""Functions for reading a parsed SAM template. They need no YAML library.

The scripts of this folder use them, both inside and outside the SAM CLI's virtual environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Template = dict[str, Any]
Resources = dict[str, dict[str, Any]]


def resources_of_type(resources: Resources, resource_type: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the logical name and the properties of each resource of a type."""
    for name, resource in resources.items():
        if resource["Type"] == resource_type:
            yield name, resource.get("Properties", {})


def referenced_name(value: Any) -> str:
    """Returns the logical name that a `!Ref` or `!GetAtt` refers to; empty if the value is neither."""
    if not isinstance(value, dict):
        return ""
    target = value.get("Ref") or value.get("Fn::GetAtt") or ""
    return target.split(".")[0] if isinstance(target, str) else target[0]


def as_list(value: Any) -> list[Any]:
    """Returns a list as it is, and any other value as a list of one."""
    return value if isinstance(value, list) else [value]


def function_name(resource: str) -> str:
    """Returns the function of a resource: `publish` for `PublishFunction` and `PublishRole`."""
    return resource.removesuffix("Function").removesuffix("Role").lower()
