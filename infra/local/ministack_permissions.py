"""Notes what the functions' roles were allowed, and what they were refused.

A line for each statement and action that let a call through, the first time that it
did, and one for each call that no statement allowed. Whoever takes the log away has
it begun anew. `permissions.py` and the scenarios read it. Imported inside MiniStack's
environment only.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from ministack.core import iam_evaluator

ROLE = ":assumed-role/"


def note(log: Path) -> None:
    """Has every decision about a function's role noted in this file from now on."""
    decide, enforce = iam_evaluator.evaluate, iam_evaluator.enforce
    known: set[tuple[str, ...]] = set()
    # What the role's own policies say comes first; a bucket's policy may be asked after it.
    asked = threading.local()

    def deciding(context: Any, policies: Any, *limits: Any) -> Any:
        decided = decide(context, policies, *limits)
        if getattr(asked, "first", None) is None:
            asked.first = (context, decided)
        return decided

    def enforcing(*arguments: Any, **more: Any) -> Any:
        asked.first = None
        refusal = enforce(*arguments, **more)
        if asked.first and ROLE in asked.first[0].principal_arn:
            context, decided = asked.first
            role = context.principal_arn.split(ROLE)[1].split("/")[0]
            decision = getattr(refusal, "decision", "Allow")
            fact = (role, decided.matched_sid, context.action, decision)
            if not log.exists():
                known.clear()
            if decision == "ImplicitDeny" or fact not in known:
                known.add(fact)
                named = dict(zip(("role", "sid", "action", "decision"), fact, strict=True))
                with log.open("a") as lines:
                    lines.write(json.dumps({**named, "resource": context.resource_arn}) + "\n")
        return refusal

    iam_evaluator.evaluate = deciding
    iam_evaluator.enforce = enforcing
