"""A small AWS client on Python's standard library, for the few calls that these scripts make themselves.

It signs with Signature Version 4:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
The SAM CLI and the AWS CLI do everything else. This module does not know what is deployed.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from progress import Failure

REGION = "us-east-1"
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Caller:
    """Signs requests with an access key and sends them to an endpoint."""

    endpoint: str
    access_key_id: str
    secret_access_key: str
    ca_bundle: Path
    """The certificates to trust; `cloud.json` calls this `trust`."""

    def query(self, service: str, version: str, action: str, **fields: str) -> ElementTree.Element:
        """Calls a service with the Query protocol: form in, XML out."""
        form = urllib.parse.urlencode({"Action": action, "Version": version, **fields})
        headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
        return ElementTree.fromstring(self._send("POST", service, "/", headers, form.encode()))

    def json(self, service: str, target: str, **fields: object) -> dict[str, object]:
        """Calls a service with the JSON protocol."""
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}
        return json.loads(self._send("POST", service, "/", headers, json.dumps(fields).encode()))

    def rest(self, method: str, service: str, path: str, **fields: object) -> None:
        """Calls a service with the REST JSON protocol and ignores the response body."""
        self._send(method, service, path, {"content-type": "application/json"}, json.dumps(fields).encode())

    def make_bucket(self, name: str) -> None:
        """Creates a bucket. us-east-1 needs no location constraint."""
        self._send("PUT", "s3", f"/{name}", {}, b"")

    def _send(self, method: str, service: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        request = urllib.request.Request(
            self.endpoint + path,
            data=body,
            method=method,
            headers=self.signed(method, service, path, headers, body),
        )
        try:
            with direct_opener(self.ca_bundle).open(request, timeout=TIMEOUT_S) as response:
                return response.read()
        except urllib.error.HTTPError as error:
            detail = error.read().decode(errors="replace")
            raise Failure(f"{service} answered {error.code}: {detail}") from error

    def signed(
        self, method: str, service: str, path: str, headers: dict[str, str], body: bytes, *, query: str = ""
    ) -> dict[str, str]:
        """Returns `headers` with the signature added. Path and query must be exactly as they are sent."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{now[:8]}/{REGION}/{service}/aws4_request"
        body_hash = hashlib.sha256(body).hexdigest()
        signed = {
            **headers,
            "host": urllib.parse.urlsplit(self.endpoint).netloc,
            "x-amz-content-sha256": body_hash,
            "x-amz-date": now,
        }
        names = ";".join(sorted(signed))
        lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
        parameters = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
        canonical_query = urllib.parse.urlencode(parameters, quote_via=urllib.parse.quote, safe="-_.~")
        canonical = f"{method}\n{urllib.parse.quote(path)}\n{canonical_query}\n{lines}\n{names}\n{body_hash}"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        key = f"AWS4{self.secret_access_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{digest}".encode(), "sha256")
        signed["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key_id}/{scope}, "
            f"SignedHeaders={names}, Signature={signature.hex()}"
        )
        return signed


def direct_opener(ca_bundle: Path) -> urllib.request.OpenerDirector:
    """Returns an HTTP client that trusts `ca_bundle` and ignores the host's proxy settings.

    A proxy must not receive requests for the loopback address.
    """
    tls = ssl.create_default_context(cafile=str(ca_bundle))
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)
    )


def texts(response: ElementTree.Element, name: str) -> list[str]:
    """Returns the text of every element with this name, in any XML namespace."""
    return [element.text or "" for element in response.iter() if element.tag.rsplit("}", 1)[-1] == name]
