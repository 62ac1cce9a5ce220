"""What schemathesis cannot know of a request; loaded inside its environment only.

Requests are signed as a user of the AWS account. They come in turns from a
program that takes anything, from one that wants JSON, and from a browser. And
the way back from TikTok's page gets states that the API itself has handed out,
each several times, so that more than its first refusal is held against the
contract.
"""

from __future__ import annotations

import itertools
import os
import urllib.parse
from pathlib import Path
from typing import Any

import schemathesis
from requests import PreparedRequest
from requests.auth import AuthBase

from aws import Caller

ASKERS = itertools.cycle(("*/*", "application/json", "text/html,application/xhtml+xml,*/*;q=0.8"))
"""The `Accept` of each."""

YES, NO = {"code": "a-code"}, {"error": "access_denied"}

ANSWERS = itertools.cycle((({}, NO, YES), (YES, YES)))
"""What comes back with a state: neither yes nor no; an answer; and one too many. TikTok gave no such code."""

RETURNS: list[dict[str, str]] = []
"""Queries of ways back that nobody has gone."""

OURS = itertools.cycle((True, False))
"""Whether a way back is one of those, or what schemathesis makes up."""


class Signed(AuthBase):
    """Adds Signature Version 4 to a request that is ready to be sent."""

    def __init__(self) -> None:
        """Takes the cloud's key from the environment, as every AWS program does."""
        env = os.environ
        key = (env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
        self.caller = Caller(env["AWS_ENDPOINT_URL"], *key, Path(env["AWS_CA_BUNDLE"]))

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Signs the method, the address and the body."""
        url = urllib.parse.urlsplit(request.url or "")
        body = request.body or b""
        content = body.encode() if isinstance(body, str) else bytes(body)
        signed = self.caller.signed(
            request.method or "GET", "execute-api", url.path, {}, content, query=url.query
        )
        request.headers.update(signed)
        return request


schemathesis.auth.set_from_requests(Signed())


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: schemathesis.Case, __: dict[str, Any]) -> None:
    """Says who asks, and answers a request for consent where there is one to answer."""
    case.headers["Accept"] = next(ASKERS)
    if case.path == "/oauth/callback" and next(OURS) and RETURNS:
        case.query = RETURNS.pop(0)


@schemathesis.hook
def after_call(_: schemathesis.HookContext, case: schemathesis.Case, response: schemathesis.Response) -> None:
    """Takes the state of a request for consent from the address that it leads to."""
    for location in response.headers.get("location", []) if case.path == "/connect" else []:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)
        RETURNS.extend({"state": query["state"][0], **answer} for answer in next(ANSWERS))
