"""Deploys template.yaml into the local cloud with the real SAM CLI, and stores the app's secret.

The template is deployed unchanged. Only these parameters differ from a deployment to AWS:
the processor architecture, direct posts by default, small chunks, the URLs of TikTok and of
the HTTP API, the requested scopes, the schedule of `status`, and the address for failure
mails.
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
from processes import clean_environment, run
from progress import Failure

STACK = "dropcast"
ARTIFACTS = "dropcast-artifacts"
LOG = LOGS / "deploy.log"
CLOUDFORMATION_VERSION = "2010-05-15"

API_ID = "dropcast"
"""The HTTP API's id. MiniStack takes it from the tag ms-custom-id, so the API's URL is known beforehand."""

SCOPES = "user.info.basic,video.publish,video.upload"
"""The scopes that a new TikTok app has. With both posting scopes, a connected user can post drafts too."""

FAILURE_EMAIL = "operator@example.com"
"""Recipient of failure mails. MiniStack writes them to its log and sends nothing."""

Outputs = dict[str, str]


def public_url(endpoint: str) -> str:
    """Returns the HTTP API's URL, in the form for which no name server is needed."""
    return f"{endpoint}/_aws/execute-api/{API_ID}"


def redirect_url(endpoint: str) -> str:
    """Returns the URL to which TikTok's authorization page redirects a browser."""
    return f"{public_url(endpoint)}/oauth/callback"


def webhook_url(endpoint: str) -> str:
    """Returns the URL to which TikTok sends webhooks."""
    return f"{public_url(endpoint)}/webhooks/tiktok"


def deploy(caller: Caller, tiktok: TikTok, **parameters: str) -> Outputs:
    """Creates or updates the stack, with additional `parameters`, and returns its outputs.

    Raises `Failure` with the log of `sam deploy` if the deployment fails.
    """
    all_parameters = {
        "Architecture": architecture(),
        # A video of a few megabytes is then uploaded in several chunks.
        "ChunkBytes": "10000000",
        "DefaultMode": "direct",
        # MiniStack's scheduler ticks every 10 s; an interval of 0 makes every tick invoke `status`.
        "StatusSchedule": "rate(0 minutes)",
        "FailureEmail": FAILURE_EMAIL,
        "PublicUrl": public_url(caller.endpoint),
        "ConnectScopes": SCOPES,
        "TikTokApiUrl": tiktok.api_url,
        "TikTokAuthorizeUrl": tiktok.api_url,
        "TikTokUploadHosts": tiktok.upload_hosts,
        **parameters,
    }
    command = [str(tools.SAM), "deploy", "--template-file", str(TEMPLATE), "--config-env", "local"]
    command += ["--stack-name", STACK, "--s3-bucket", ARTIFACTS, "--region", REGION]
    command += ["--tags", f"application=dropcast ms-custom-id={API_ID}"]
    command += ["--parameter-overrides", *(f'{key}="{value}"' for key, value in all_parameters.items())]
    if run(command, env=environment(caller), cwd=REPO, log=LOG) != 0:
        raise Failure("sam deploy", LOG)
    outputs = _outputs(caller)
    _store_app_secret(caller, outputs, tiktok)
    return outputs


def stack_resources(caller: Caller) -> dict[str, str]:
    """Returns the physical id of each resource of the stack, by its logical id."""
    resources = caller.query(
        "cloudformation", CLOUDFORMATION_VERSION, "DescribeStackResources", StackName=STACK
    )
    logical, physical = texts(resources, "LogicalResourceId"), texts(resources, "PhysicalResourceId")
    return dict(zip(logical, physical, strict=True))


def environment(caller: Caller) -> dict[str, str]:
    """Returns the environment for the SAM CLI: the settings of this cloud, and no AWS setting of the host."""
    return {
        **clean_environment(SCRATCH),
        "AWS_ENDPOINT_URL": caller.endpoint,
        "AWS_ACCESS_KEY_ID": caller.access_key_id,
        "AWS_SECRET_ACCESS_KEY": caller.secret_access_key,
        "AWS_CA_BUNDLE": str(caller.ca_bundle),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.2",
    }


def _outputs(caller: Caller) -> Outputs:
    stacks = caller.query("cloudformation", CLOUDFORMATION_VERSION, "DescribeStacks", StackName=STACK)
    return dict(zip(texts(stacks, "OutputKey"), texts(stacks, "OutputValue"), strict=True))


def _store_app_secret(caller: Caller, outputs: Outputs, tiktok: TikTok) -> None:
    """Stores the app's credentials. On AWS the operator does this once, after the first deployment."""
    app = {"client_key": tiktok.client_key, "client_secret": tiktok.client_secret}
    caller.json(
        "secretsmanager",
        "secretsmanager.PutSecretValue",
        SecretId=outputs["AppSecretArn"],
        SecretString=json.dumps(app),
        ClientRequestToken=str(uuid.uuid4()),
    )
