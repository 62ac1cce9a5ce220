"""Checks the schema and the examples of our EventBridge events (events/notices).

Runs in the SAM CLI's virtual environment, which has a validator: `python event_schema.py FOLDER`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator


def check(folder: Path) -> None:
    """Exits with a message at the first violation of these rules.

    - Each example is valid, and becomes invalid if a required field is removed.
    - Each field of an example is declared in the schema.
    - Each state in the schema has an example.
    """
    schema = json.loads((folder / "schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    detail_schema = schema["properties"]["detail"]
    states = set()
    for path in sorted(folder.glob("*.json")):
        if path.name == "schema.json":
            continue
        example = json.loads(path.read_text())
        validator.validate(example)
        states.add(example["detail"]["state"])
        for field in detail_schema["required"]:
            incomplete = {k: v for k, v in example["detail"].items() if k != field}
            if validator.is_valid({**example, "detail": incomplete}):
                raise SystemExit(f"{path.name} is valid without the required field {field}")
        undeclared = set(example["detail"]) - set(detail_schema["properties"])
        if undeclared:
            raise SystemExit(f"{path.name} has fields that the schema does not declare: {undeclared}")
    missing = set(detail_schema["properties"]["state"]["enum"]) - states
    if missing:
        raise SystemExit(f"no example has the state {missing}")


if __name__ == "__main__":
    check(Path(sys.argv[1]))
