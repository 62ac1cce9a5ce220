"""The handful of AWS calls that the local cloud makes itself.

Signature Version 4 over the standard library, for requests that are answered at
once: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
Everything larger is done with the real tools. Knows nothing of what is deployed.
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
    """Who signs, and where to."""

    endpoint: str
    access_key_id: str
    secret_access_key: str
    trust: Path

    def query(self, service: str, version: str, action: str, **fields: str) -> ElementTree.Element:
        """Calls a service that takes forms and answers XML."""
        form = urllib.parse.urlencode({"Action": action, "Version": version, **fields})
        headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
        return ElementTree.fromstring(self._send("POST", service, "/", headers, form.encode()))

    def json(self, service: str, target: str, **fields: object) -> dict[str, object]:
        """Calls a service that speaks JSON."""
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}
        return json.loads(self._send("POST", service, "/", headers, json.dumps(fields).encode()))

    def rest(self, method: str, service: str, path: str, **fields: object) -> None:
        """Calls a service that has a path for each thing."""
        self._send(method, service, path, {"content-type": "application/json"}, json.dumps(fields).encode())

    def make_bucket(self, name: str) -> None:
        """Makes a bucket in the region that needs no location."""
        self._send("PUT", "s3", f"/{name}", {}, b"")

    def _send(self, method: str, service: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        request = urllib.request.Request(
            self.endpoint + path,
            data=body,
            method=method,
            headers=self.signed(method, service, path, headers, body),
        )
        trust = ssl.create_default_context(cafile=str(self.trust))
        # No proxy of the host's may get between us and the loopback address.
        direct = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        )
        try:
            with direct.open(request, timeout=TIMEOUT_S) as answer:
                return answer.read()
        except urllib.error.HTTPError as refused:
            told = refused.read().decode(errors="replace")
            raise Failure(f"{service} answered {refused.code}: {told}") from refused

    def signed(
        self, method: str, service: str, path: str, headers: dict[str, str], body: bytes, *, query: str = ""
    ) -> dict[str, str]:
        """The headers of a request with those that sign it; path and query are as they are sent."""
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
        asked = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
        asked = urllib.parse.urlencode(asked, quote_via=urllib.parse.quote, safe="-_.~")
        canonical = f"{method}\n{urllib.parse.quote(path)}\n{asked}\n{lines}\n{names}\n{body_hash}"
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


def texts(answer: ElementTree.Element, name: str) -> list[str]:
    """Every text under elements of this name, in any namespace."""
    return [element.text or "" for element in answer.iter() if element.tag.rsplit("}", 1)[-1] == name]
