"""Deploys template.yaml with the real SAM CLI, unchanged, and fills in the app's secret.

What differs from AWS are parameters: the processor, direct posts by default,
small chunks, where TikTok and the HTTP API are, what users are asked to allow,
how often the clock ticks, and whom mail about failures would go to.
"""

from __future__ import annotations

import json
import os
import uuid

import tools
from aws import REGION, Caller, texts
from build import architecture
from local_tiktok import TikTok
from paths import LOGS, REPO, SCRATCH, TEMPLATE
from processes import run
from progress import Failure

STACK = "dropcast"
ARTIFACTS = "dropcast-artifacts"
LOG = LOGS / "deploy.log"
CLOUDFORMATION_VERSION = "2010-05-15"

API_ID = "dropcast"
"""MiniStack names an API by this tag. So its address is known before it is there, as that of a domain is."""

SCOPES = "user.info.basic,user.info.profile,video.list,video.publish,video.upload"
"""All that Dropcast can use: what is played here is drafts as well as direct posts, links and covers."""

FAILURE_EMAIL = "operator@example.com"
"""Who is told of failures. Nothing leaves this machine: MiniStack notes such mail in its log."""

Outputs = dict[str, str]


def public_url(endpoint: str) -> str:
    """Where the HTTP API is going to be. MiniStack's other name for it needs a name server that knows it."""
    return f"{endpoint}/_aws/execute-api/{API_ID}"


def redirect_url(endpoint: str) -> str:
    """Where TikTok's consent page sends a browser back to."""
    return f"{public_url(endpoint)}/oauth/callback"


def webhook_url(endpoint: str) -> str:
    """Where TikTok tells what became of a post."""
    return f"{public_url(endpoint)}/webhooks/tiktok"


def deploy(caller: Caller, tiktok: TikTok, **more: str) -> Outputs:
    """Makes or updates the stack, with more parameters where there are any, and returns its outputs.

    Raises `Failure` with the log of `sam deploy` when it does not come to be.
    """
    parameters = {
        "Architecture": architecture(),
        # So that a video of a few megabytes already is an upload of several chunks.
        "ChunkBytes": "10000000",
        "DefaultMode": "direct",
        # MiniStack's clock ticks every 10 s, and this lets every tick count.
        "StatusSchedule": "rate(0 minutes)",
        "FailureEmail": FAILURE_EMAIL,
        "PublicUrl": public_url(caller.endpoint),
        "ConnectScopes": SCOPES,
        "TikTokApiUrl": tiktok.api_url,
        "TikTokAuthorizeUrl": tiktok.api_url,
        "TikTokUploadHosts": tiktok.upload_hosts,
        **more,
    }
    command = [str(tools.SAM), "deploy", "--template-file", str(TEMPLATE), "--config-env", "local"]
    command += ["--stack-name", STACK, "--s3-bucket", ARTIFACTS, "--region", REGION]
    command += ["--tags", f"application=dropcast ms-custom-id={API_ID}"]
    command += ["--parameter-overrides", *(f'{key}="{value}"' for key, value in parameters.items())]
    if run(command, env=environment(caller), cwd=REPO, log=LOG) != 0:
        raise Failure("sam deploy", LOG)
    outputs = _outputs(caller)
    _fill_in_secret(caller, outputs, tiktok)
    return outputs


def environment(caller: Caller) -> dict[str, str]:
    """What the SAM CLI sees: this cloud, and none of the host's own AWS settings."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(SCRATCH),
        "AWS_ENDPOINT_URL": caller.endpoint,
        "AWS_ACCESS_KEY_ID": caller.access_key_id,
        "AWS_SECRET_ACCESS_KEY": caller.secret_access_key,
        "AWS_CA_BUNDLE": str(caller.trust),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.2",
    }


def _outputs(caller: Caller) -> Outputs:
    stacks = caller.query("cloudformation", CLOUDFORMATION_VERSION, "DescribeStacks", StackName=STACK)
    return dict(zip(texts(stacks, "OutputKey"), texts(stacks, "OutputValue"), strict=True))


def _fill_in_secret(caller: Caller, outputs: Outputs, tiktok: TikTok) -> None:
    """Does what the operator does once after a first deployment."""
    app = {"client_key": tiktok.client_key, "client_secret": tiktok.client_secret}
    caller.json(
        "secretsmanager",
        "secretsmanager.PutSecretValue",
        SecretId=outputs["AppSecretArn"],
        SecretString=json.dumps(app),
        ClientRequestToken=str(uuid.uuid4()),
    )
