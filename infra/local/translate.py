"""Writes a SAM template as the CloudFormation template that it stands for.

Runs inside the SAM CLI's environment: `python translate.py TEMPLATE TRANSLATED`.
Parameters stay parameters, so what is linted is what every deployment gets.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """The template names no managed policy, so none has to be looked up."""

    def load(self) -> dict[str, str]:
        """Answers with no policies."""
        return {}


def translate(template: Path) -> dict[str, object]:
    """Expands every AWS::Serverless resource."""
    source = yaml_parse(template.read_text())
    for resource in source["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # `sam deploy` puts the packaged code's address here.
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    return transform(source, {}, NoManagedPolicies())


if __name__ == "__main__":
    _, source_path, target_path = sys.argv
    Path(target_path).parent.mkdir(parents=True, exist_ok=True)
    Path(target_path).write_text(json.dumps(translate(Path(source_path)), indent=2))
