"""Hooks of Schemathesis for `contract.py`; imported only in Schemathesis's virtual environment.

- Each request is signed as a user of the AWS account.
- The `Accept` header rotates: any type, JSON, a browser's.
- Every second request to `/oauth/callback` has a state that `/connect` has issued, and each state is sent
  several times. Otherwise only the rejection of unknown states would be tested.
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

ACCEPT_HEADERS = itertools.cycle(("*/*", "application/json", "text/html,application/xhtml+xml,*/*;q=0.8"))

GRANTED, DENIED = {"code": "a-code"}, {"error": "access_denied"}

AUTHORIZATION_RESPONSES = itertools.cycle((({}, DENIED, GRANTED), (GRANTED, GRANTED)))
"""Parameters to send with one issued state, in this order. The code is made up, so no exchange succeeds."""

PENDING_CALLBACKS: list[dict[str, str]] = []
"""Queries for `/oauth/callback` with issued states, not sent yet."""

USE_PENDING_CALLBACK = itertools.cycle((True, False))
"""Whether the next callback uses a pending query or the one that Schemathesis generated."""


class Signed(AuthBase):
    """Adds Signature Version 4 to a prepared request."""

    def __init__(self) -> None:
        """Reads the access key from the standard AWS variables."""
        env = os.environ
        key = (env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
        self.caller = Caller(env["AWS_ENDPOINT_URL"], *key, Path(env["AWS_CA_BUNDLE"]))

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Signs the method, the URL and the body."""
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
    """Sets the `Accept` header and, for every second callback, a pending query."""
    case.headers["Accept"] = next(ACCEPT_HEADERS)
    if case.path == "/oauth/callback" and next(USE_PENDING_CALLBACK) and PENDING_CALLBACKS:
        case.query = PENDING_CALLBACKS.pop(0)


@schemathesis.hook
def after_call(_: schemathesis.HookContext, case: schemathesis.Case, response: schemathesis.Response) -> None:
    """Collects the state of an authorization request from the redirect of `/connect`."""
    for location in response.headers.get("location", []) if case.path == "/connect" else []:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)
        state = query["state"][0]
        PENDING_CALLBACKS.extend(
            {"state": state, **parameters} for parameters in next(AUTHORIZATION_RESPONSES)
        )
