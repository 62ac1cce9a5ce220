"""Checks the schemas and the examples of our EventBridge events (events/notices).

Runs in the SAM CLI's virtual environment, which has a validator: `python event_schema.py FOLDER`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

POST_SCHEMA = "schema.json"
"""The schema of each example that has no schema of its own: NAME.schema.json for NAME.json."""


def check(folder: Path) -> None:
    """Exits with a message at the first violation of these rules.

    - Each example is valid, and becomes invalid if a required field is removed.
    - Each field of an example is declared in its schema.
    - Each state in the schema of posts has an example.
    """
    states = set()
    for path in sorted(folder.glob("*.json")):
        if path.name.endswith("schema.json"):
            continue
        own = path.with_suffix(".schema.json")
        schema = json.loads((own if own.exists() else folder / POST_SCHEMA).read_text())
        example = json.loads(path.read_text())
        _check_example(path.name, example, schema)
        states.add(example["detail"].get("state"))
    posts = json.loads((folder / POST_SCHEMA).read_text())
    missing = set(posts["properties"]["detail"]["properties"]["state"]["enum"]) - states
    if missing:
        raise SystemExit(f"no example has the state {missing}")


def _check_example(name: str, example: dict[str, Any], schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    detail_schema = schema["properties"]["detail"]
    validator.validate(example)
    for field in detail_schema["required"]:
        incomplete = {k: v for k, v in example["detail"].items() if k != field}
        if validator.is_valid({**example, "detail": incomplete}):
            raise SystemExit(f"{name} is valid without the required field {field}")
    undeclared = set(example["detail"]) - set(detail_schema["properties"])
    if undeclared:
        raise SystemExit(f"{name} has fields that the schema does not declare: {undeclared}")


if __name__ == "__main__":
    check(Path(sys.argv[1]))
