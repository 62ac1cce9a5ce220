"""Holds the examples of what is told against their schema, and the schema against itself.

Runs inside the SAM CLI's environment, which has a validator: `python event_schema.py FOLDER`.
An example that has lost anything of what is required must not pass either.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator


def check(folder: Path) -> None:
    """Raises at the first example that does not fit, and where one fits too easily."""
    schema = json.loads((folder / "schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    states = set()
    for path in sorted(folder.glob("*.json")):
        if path.name == "schema.json":
            continue
        example = json.loads(path.read_text())
        validator.validate(example)
        states.add(example["detail"]["state"])
        for field in schema["properties"]["detail"]["required"]:
            lacking = {k: v for k, v in example["detail"].items() if k != field}
            if validator.is_valid({**example, "detail": lacking}):
                raise SystemExit(f"{path.name} passes without {field}")
        unknown = set(example["detail"]) - set(schema["properties"]["detail"]["properties"])
        if unknown:
            raise SystemExit(f"{path.name} has what the schema does not: {unknown}")
    missing = set(schema["properties"]["detail"]["properties"]["state"]["enum"]) - states
    if missing:
        raise SystemExit(f"there is no example of {missing}")


if __name__ == "__main__":
    check(Path(sys.argv[1]))
