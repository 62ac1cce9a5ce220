"""Expands a SAM template into the CloudFormation template that `sam deploy` creates.

Runs in the SAM CLI's virtual environment: `python translate.py TEMPLATE TRANSLATED`.
checks.py lints the result. References to parameters stay in it, so the lint applies to
every deployment.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """A policy loader without policies. The template names no managed policy, so none is looked up."""

    def load(self) -> dict[str, str]:
        """Returns an empty mapping."""
        return {}


def translate(template: Path) -> dict[str, object]:
    """Expands every AWS::Serverless resource."""
    source = yaml_parse(template.read_text())
    for resource in source["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # `sam deploy` inserts the location of the uploaded code here.
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    return transform(source, {}, NoManagedPolicies())


if __name__ == "__main__":
    _, source_path, target_path = sys.argv
    Path(target_path).parent.mkdir(parents=True, exist_ok=True)
    Path(target_path).write_text(json.dumps(translate(Path(source_path)), indent=2))
