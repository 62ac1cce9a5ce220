"""Signs schemathesis' requests as a user of the AWS account; loaded inside its environment only."""

from __future__ import annotations

import os
import urllib.parse
from pathlib import Path

import schemathesis
from requests import PreparedRequest
from requests.auth import AuthBase

from aws import Caller


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
