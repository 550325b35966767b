"""The stage an operator's command works on: its AWS clients and the names of its tables, queues and bus.

AWS is found as by the AWS CLI (AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL). Only the stage `local` needs none of
that: where nothing is set, the running system's .local/stack.json says where it is.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tools import stack_file
from tools.local_stack import ADMINISTRATOR

STAGES = ("local", "dev", "prod")
DEFAULT_STAGE = "local"
DEFAULT_SEGMENTS, MAX_SEGMENTS = 4, 64
CANNOT_WORK = (BotoCoreError, ClientError, stack_file.StackNotRunningError)
"""What keeps a command from its work and is not its own mistake: no credentials, no such table, no answer."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage by name; clients are made as they are asked for. Raises StackNotRunningError."""

    name: str

    @property
    def table_prefix(self) -> str:
        return f"oms-{self.name}-"

    @property
    def event_bus(self) -> str:
        return f"oms-{self.name}"

    def client(self, service: str) -> Any:
        """A client of an AWS service, with the repeats that suit somebody who watches."""
        config = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5})
        make: Any = boto3.client  # typed by literal service names only
        return make(service, config=config, **self._where())

    def queue_url(self, sqs: Any, name: str) -> str:
        """Where messages for a queue go."""
        return str(sqs.get_queue_url(QueueName=f"oms-{self.name}-{name}")["QueueUrl"])

    def _where(self) -> dict[str, str]:
        if self.name != "local" or "AWS_ENDPOINT_URL" in os.environ:
            return {}
        stack = stack_file.read()
        return {
            "endpoint_url": stack["endpoint_url"],
            "region_name": stack["region"],
            "aws_access_key_id": ADMINISTRATOR["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": ADMINISTRATOR["AWS_SECRET_ACCESS_KEY"],
        }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What every operator's command understands."""
    parser.add_argument("--stage", choices=STAGES, default=DEFAULT_STAGE, help=f"default: {DEFAULT_STAGE}")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--json", action="store_true", help="the last line of the output is one JSON object")


def add_segments(parser: argparse.ArgumentParser) -> None:
    """For commands that read whole tables."""
    parser.add_argument(
        "--segments",
        type=_segments,
        default=DEFAULT_SEGMENTS,
        metavar="N",
        help=f"parts of a table that are read at the same time (default {DEFAULT_SEGMENTS})",
    )


def _segments(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MAX_SEGMENTS:
        raise argparse.ArgumentTypeError(f"a number from 1 to {MAX_SEGMENTS}, not {text!r}")
    return int(text)


def explain(error: Exception, stage: Stage) -> str:
    """Why the command cannot work, and what to do next."""
    if isinstance(error, stack_file.StackNotRunningError):
        return str(error)
    return (
        f"The stage {stage.name} can't be worked on: {error}\n"
        "Check the credentials (AWS_PROFILE), the region (AWS_REGION), --stage, and that the stage is deployed."
    )
