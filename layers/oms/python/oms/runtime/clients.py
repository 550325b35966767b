"""AWS clients with time-outs that fit a caller who waits, and one layer of retries: botocore's, kept short.

A door that answers within seconds may not hang in a connection that got lost; what is given up here, the sender
or the queue tries again. Parameters are not checked here: it costs more than the call, and the service does it.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from oms.runtime.call_recorder import CallRecorder

CONNECT_SECONDS = 1
READ_SECONDS = 3
ATTEMPTS = 3
MAX_CONNECTIONS = 20
USER_AGENT = "oms"
"""A fixed one: botocore puts its own together anew, twice, for every call, a fifth of what a small call costs."""


@cache
def client(service: str) -> Any:
    """The worker's client of an AWS service, for the worker's region and role. Get it outside the handler."""
    make: Any = boto3.client  # typed by literal service names only
    made = make(
        service,
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=MAX_CONNECTIONS,
            parameter_validation=False,
            user_agent=USER_AGENT,
            signature_version="s3v4" if service == "s3" else None,  # what else signs addresses can't encrypt
        ),
    )
    watcher = recorder()
    if watcher:
        watcher.watch(made)
    if service == "dynamodb":
        from oms.runtime.dynamodb_json import translate_at_once  # the doors have no table and start without msgspec

        translate_at_once(made)
    return made


@cache
def recorder() -> CallRecorder | None:
    """Writes calls down in the local stage; None everywhere else."""
    directory = os.environ.get("CALL_RECORDER_DIRECTORY", "")
    return CallRecorder(directory, os.environ["POWERTOOLS_SERVICE_NAME"]) if directory else None
