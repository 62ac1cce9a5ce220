#!/usr/bin/env python3
"""The local cloud: AWS and TikTok on this machine, with Dropcast deployed into it.

    cloud.py up             start it and leave it running
    cloud.py down           take it down
    cloud.py run -- CMD …   start it, run CMD with DROPCAST_CLOUD, take it down
    cloud.py demo           the same with the demo and a video made for it
    cloud.py check          check the dependencies, the template and this folder
    cloud.py audit          look the dependencies up in a database that is fetched
    cloud.py release ARCH   build what ships, for arm64 or x86_64
    cloud.py sbom ARCH      list what ships is made of
    cloud.py bench […]      measure what ships; tests/README.md says what with
    cloud.py outlive        delete a stack with posts in it, and see what is left
    cloud.py permissions    find what a function may do and does not need to
    cloud.py fuzz […]       look for inputs that break a promise

`run` and `demo` use the cloud that is up, if one is. See README.md beside this.
"""

from __future__ import annotations

import argparse
import os
import sys

import browser
import demo_video
import lifecycle
import processes
import state
from bench import bench
from build import binary, detached
from checks import audit, check
from fuzz import fuzz
from outlive import outlive
from paths import CLOUD_FILE, REPO
from permissions import permissions
from processes import Lifetime
from progress import Failure, complain, say, step
from release import release
from sbom import sbom

DEFAULT_ACCOUNT = "default"
"""Of a video directly under drop/, as template.yaml has it."""


def up() -> int:
    """Starts the cloud, or brings the one that is up to date, and tells how to use it."""
    with state.alone():
        found = state.recall()
        cloud = lifecycle.refresh(found) if found else _begin()
    with step("made a video to drop"):
        video = demo_video.ensure()
    _tell(cloud, str(video.relative_to(REPO)))
    return 0


def down() -> int:
    """Takes down the cloud that is up."""
    with state.alone(patient=False):
        cloud = state.recall()
        if cloud is None:
            say("  no cloud is up")
            return 0
        cloud.stop()
    say("  the cloud is down")
    return 0


def run(command: list[str]) -> int:
    """Runs a command against a cloud and returns its exit code."""
    found = browser.ensure()
    with lifecycle.cloud_for_one_run() as cloud:
        return _use(cloud, command, found.environment() if found else {})


def demo() -> int:
    """Runs the demo against a cloud and returns its exit code."""
    with lifecycle.cloud_for_one_run() as cloud:
        with step("made a video to drop"):
            video = demo_video.ensure()
        say()
        return _use(cloud, [str(detached("demo")), str(video)])


def _begin() -> state.Cloud:
    """A new cloud with the account of drop/<file>, or none at all."""
    cloud = lifecycle.start(Lifetime.DETACHED)
    try:
        _connect(cloud)
    except BaseException:
        cloud.stop()
        raise
    return cloud


def _connect(cloud: state.Cloud) -> None:
    """Has a user of the simulator consent, so that drop/<file> has an account to go to."""
    if not cloud.tiktok.simulator or not binary("connect").exists():
        return
    with step(f"connected the account {DEFAULT_ACCOUNT}"):
        if _use(cloud, [str(binary("connect")), DEFAULT_ACCOUNT]) != 0:
            raise Failure(f"connecting the account {DEFAULT_ACCOUNT}")


def _use(cloud: state.Cloud, command: list[str], more: dict[str, str] | None = None) -> int:
    inherited = {k: v for k, v in os.environ.items() if k not in ("AWS_PROFILE", "AWS_SESSION_TOKEN")}
    environment = {**inherited, **state.environment(cloud), **(more or {})}
    try:
        return processes.run(command, env=environment, cwd=REPO)
    except FileNotFoundError as missing:
        raise Failure(f"there is no program {command[0]}") from missing


def _tell(cloud: state.Cloud, video: str) -> None:
    """Prints lines to copy."""
    outputs = cloud.outputs
    env = state.ENV_FILE.relative_to(REPO)
    posts = "aws dynamodb scan --query 'Items[].[key.S,state.S,share_url.S]' --output text --table-name"
    logs = "aws logs filter-log-events --query 'events[].message' --output text --log-group-name /aws/lambda"
    say(
        f"""
The cloud is up: {cloud.caller.endpoint}

  . {env}    # this cloud, for the AWS CLI and everything else in this shell

Drop a video:
  aws s3 cp {video} s3://{outputs["IntakeBucket"]}/drop/hello.mp4 --metadata title="Hello"

What became of it:
  {posts} {outputs["PostsTable"]}
  aws s3api get-object-tagging --bucket {outputs["IntakeBucket"]} --key drop/hello.mp4

What the functions said (a line appears when its invocation has ended):
  {logs}/{outputs["PublishFunction"]}
  {logs}/{outputs["StatusFunction"]}"""
    )
    if cloud.tiktok.simulator:
        sign = (
            '--aws-sigv4 "aws:amz:$AWS_REGION:execute-api" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"'
        )
        say(
            "\nConnect another account; the address that this prints is TikTok's consent page, for a browser:"
        )
        say(f"  curl -s -w '%{{redirect_url}}\\n' --cacert \"$AWS_CA_BUNDLE\" {sign} \\")
        say(f"    '{outputs['ConnectUrl']}?alias=anna'")
        say(f"\nWhat TikTok received and published:\n  curl {cloud.tiktok.simulator}/_simulator/ledger")
    say(f"\nPrograms find all of this in {CLOUD_FILE.relative_to(REPO)}. Take it down with: make down")


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    plain = {"up": up, "down": down, "demo": demo, "check": check, "audit": audit}
    taking = {
        "run": run,
        "release": lambda told: release(told[0]),
        "sbom": lambda told: sbom(told[0]),
        "bench": bench,
        "permissions": permissions,
        "outlive": outlive,
        "fuzz": fuzz,
    }
    parser.add_argument("command", choices=(*plain, *taking))
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="…")
    asked = parser.parse_args()
    arguments = asked.arguments[1:] if asked.arguments[:1] == ["--"] else asked.arguments
    if (asked.command in ("run", "release", "sbom") and not arguments) or (
        asked.command in plain and arguments
    ):
        parser.error(
            "run takes a program, release and sbom a processor, bench, permissions and fuzz options"
            ", others nothing"
        )
    lifecycle.heed_signals()
    try:
        return plain[asked.command]() if asked.command in plain else taking[asked.command](arguments)
    except Failure as failure:
        complain(failure)
        return 1
    except lifecycle.Interrupted as interrupted:
        return interrupted.exit_code


if __name__ == "__main__":
    sys.exit(main())
