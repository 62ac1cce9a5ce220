"""Logs IAM's decisions about calls of the functions' roles.

The log has one JSON line for each statement and action that allowed a call, written at
the first such call, and one for each call that no statement allowed. If a reader deletes
the log, this module writes all lines again. `permissions.py` and the scenarios read it.
Imported only in MiniStack's virtual environment.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from ministack.core import iam_evaluator

ROLE = ":assumed-role/"


def log_decisions(log: Path) -> None:
    """Patches MiniStack's IAM so that every decision about a function's role is appended to `log`."""
    evaluate, enforce = iam_evaluator.evaluate, iam_evaluator.enforce
    logged: set[tuple[str, ...]] = set()
    # During `enforce`, MiniStack first evaluates the role's own policies, and then perhaps a bucket policy.
    # Only the first evaluation is logged.
    current = threading.local()

    def patched_evaluate(context: Any, policies: Any, *args: Any) -> Any:
        result = evaluate(context, policies, *args)
        if getattr(current, "first", None) is None:
            current.first = (context, result)
        return result

    def patched_enforce(*args: Any, **kwargs: Any) -> Any:
        current.first = None
        refusal = enforce(*args, **kwargs)
        if current.first and ROLE in current.first[0].principal_arn:
            context, result = current.first
            role = context.principal_arn.split(ROLE)[1].split("/")[0]
            decision = getattr(refusal, "decision", "Allow")
            entry = (role, result.matched_sid, context.action, decision)
            if not log.exists():
                logged.clear()
            if decision == "ImplicitDeny" or entry not in logged:
                logged.add(entry)
                fields = dict(zip(("role", "sid", "action", "decision"), entry, strict=True))
                with log.open("a") as lines:
                    lines.write(json.dumps({**fields, "resource": context.resource_arn}) + "\n")
        return refusal

    iam_evaluator.evaluate = patched_evaluate
    iam_evaluator.enforce = patched_enforce
