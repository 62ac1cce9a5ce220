#!/usr/bin/env python3
"""Commands of the local cloud: stand-ins for AWS and TikTok on this machine, with Dropcast deployed.

    cloud.py up               start the cloud and leave it running
    cloud.py down             stop the cloud
    cloud.py run -- CMD …     start the cloud, run CMD with DROPCAST_CLOUD set, stop the cloud
    cloud.py demo             start the cloud, post a generated video, stop the cloud
    cloud.py check            check dependencies, template, scripts, parsers and API contract
    cloud.py audit            check the dependencies against a downloaded advisory database
    cloud.py release ARCH     build the functions for AWS, for arm64 or x86_64
    cloud.py sbom ARCH        list the crates in each function, for arm64 or x86_64
    cloud.py bench […]        measure the functions; tests/README.md lists the options
    cloud.py stack-lifecycle  update and delete a stack, and check what remains
    cloud.py permissions […]  find IAM permissions that the functions do not need
    cloud.py fuzz […]         search for inputs that break a parser

If a cloud is up, `run` and `demo` use it and leave it running. See README.md in this folder.
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
import uploaders
from bench import bench
from build import binary, copy_binary
from checks import audit, check
from fuzz import fuzz
from paths import CLOUD_FILE, REPO
from permissions import permissions
from processes import Lifetime
from progress import Failure, print_failure, say, step
from release import release
from sbom import sbom
from stack_lifecycle import stack_lifecycle

DEFAULT_ACCOUNT = "default"
"""The account of a video directly under drop/: the default of the parameter `DefaultAccount`."""


def up() -> int:
    """Starts the cloud, or updates the running one, and prints how to use it."""
    with state.exclusive():
        running = state.load()
        cloud = lifecycle.update(running) if running else _start_with_account()
    with step("made a video to drop"):
        video = demo_video.ensure()
    _print_usage(cloud, str(video.relative_to(REPO)))
    return 0


def down() -> int:
    """Stops the cloud that is up, if any."""
    with state.exclusive(wait=False):
        cloud = state.load()
        if cloud is None:
            say("  no cloud is up")
            return 0
        cloud.stop()
    say("  the cloud is down")
    return 0


def run(command: list[str]) -> int:
    """Runs a command against the cloud that is up, or a new one, and returns its exit code."""
    chromium = browser.ensure()
    with uploaders.installation() as await_uploaders, lifecycle.cloud_for_one_run() as cloud:
        extra = {**(chromium.environment() if chromium else {}), **await_uploaders()}
        return _run_with_cloud(cloud, command, extra)


def demo() -> int:
    """Runs the demo against the cloud that is up, or a new one, and returns its exit code."""
    with lifecycle.cloud_for_one_run() as cloud:
        with step("made a video to drop"):
            video = demo_video.ensure()
        say()
        return _run_with_cloud(cloud, [str(copy_binary("demo")), str(video)])


def _start_with_account() -> state.Cloud:
    """Starts a cloud and connects the default account. If connecting fails, the cloud is stopped."""
    cloud = lifecycle.start(Lifetime.DETACHED)
    try:
        # Only the simulator grants an authorization without a person.
        if cloud.tiktok.simulator and binary("connect").exists():
            lifecycle.connect_account(cloud, DEFAULT_ACCOUNT)
    except BaseException:
        cloud.stop()
        raise
    return cloud


def _run_with_cloud(cloud: state.Cloud, command: list[str], extra: dict[str, str] | None = None) -> int:
    inherited = {k: v for k, v in os.environ.items() if k not in ("AWS_PROFILE", "AWS_SESSION_TOKEN")}
    environment = {**inherited, **state.environment(cloud), **(extra or {})}
    try:
        return processes.run(command, env=environment, cwd=REPO)
    except FileNotFoundError as missing:
        raise Failure(f"there is no program {command[0]}") from missing


def _print_usage(cloud: state.Cloud, video: str) -> None:
    """Prints shell commands that drop a video and show what happened to it."""
    outputs = cloud.outputs
    env = state.ENV_FILE.relative_to(REPO)
    posts = "aws dynamodb scan --query 'Items[].[key.S,state.S,share_url.S]' --output text --table-name"
    logs = "aws logs filter-log-events --query 'events[].message' --output text --log-group-name /aws/lambda"
    say(
        f"""
The cloud is up: {cloud.caller.endpoint}

  . {env}    # points the AWS CLI and other programs in this shell at this cloud

Drop a video:
  aws s3 cp {video} s3://{outputs["IntakeBucket"]}/drop/hello.mp4 --metadata dropcast-title="Hello"

See its state:
  {posts} {outputs["PostsTable"]}
  aws s3api get-object-tagging --bucket {outputs["IntakeBucket"]} --key drop/hello.mp4

Read the functions' logs (the lines of an invocation appear when it has ended):
  {logs}/{outputs["PublishFunction"]}
  {logs}/{outputs["StatusFunction"]}"""
    )
    if cloud.tiktok.simulator:
        sign = (
            '--aws-sigv4 "aws:amz:$AWS_REGION:execute-api" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"'
        )
        say("\nConnect another account (open the printed URL of TikTok's authorization page in a browser):")
        say(f"  curl -s -w '%{{redirect_url}}\\n' --cacert \"$AWS_CA_BUNDLE\" {sign} \\")
        say(f"    '{outputs['ConnectUrl']}?alias=anna'")
        say(f"\nSee what TikTok received and published:\n  curl {cloud.tiktok.simulator}/_simulator/ledger")
    say(f"\n{CLOUD_FILE.relative_to(REPO)} has all of this for programs. Stop the cloud with: make down")


COMMANDS = {"up": up, "down": down, "demo": demo, "check": check, "audit": audit}
"""The commands that take no arguments."""

COMMANDS_WITH_ARGUMENTS = {
    "run": run,
    "release": lambda arguments: release(arguments[0]),
    "sbom": lambda arguments: sbom(arguments[0]),
    "bench": bench,
    "permissions": permissions,
    "stack-lifecycle": stack_lifecycle,
    "fuzz": fuzz,
}
ARGUMENT_REQUIRED = ("run", "release", "sbom")


def main() -> int:
    """Parses the command line and runs the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=(*COMMANDS, *COMMANDS_WITH_ARGUMENTS))
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="…")
    parsed = parser.parse_args()
    command = parsed.command
    arguments = parsed.arguments[1:] if parsed.arguments[:1] == ["--"] else parsed.arguments
    if command in ARGUMENT_REQUIRED and not arguments:
        parser.error(f"{command} needs {'a program' if command == 'run' else 'an architecture'}")
    if command in COMMANDS and arguments:
        parser.error(f"{command} takes no arguments")
    lifecycle.raise_on_signals()
    try:
        return COMMANDS[command]() if command in COMMANDS else COMMANDS_WITH_ARGUMENTS[command](arguments)
    except Failure as failure:
        print_failure(failure)
        return 1
    except lifecycle.Interrupted as interrupted:
        return interrupted.exit_code


if __name__ == "__main__":
    sys.exit(main())
