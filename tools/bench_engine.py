"""What the stock benchmark runs against: DynamoDB in a process of its own, and somebody who takes the answers."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

from oms.runtime import clients
from oms.stores.attribute_values import to_item
from tools import processes
from tools.local_stack import ADMINISTRATOR, PROJECT, REGION, LocalStack

STAGE = "bench"
TABLE_PREFIX = f"oms-{STAGE}-"
STATE_MACHINE = f"arn:aws:states:{REGION}:000000000000:stateMachine:oms-{STAGE}-order-lifecycle"
WRITERS = 2
PUTS_AT_ONCE = 25
WANTED = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
DONE = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n{}"

SETTINGS = {
    **ADMINISTRATOR,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "STAGE": STAGE,
    "TABLE_PREFIX": TABLE_PREFIX,
    "POWERTOOLS_SERVICE_NAME": "queue_allocation",
    "POWERTOOLS_METRICS_NAMESPACE": "oms",
    "POWERTOOLS_LOG_LEVEL": "WARNING",
    "CALL_RECORDER_DIRECTORY": "",
    "ORDER_LIFECYCLE_ARN": STATE_MACHINE,
}
"""The environment of the function under test, but for the addresses."""


@contextmanager
def running() -> Iterator[dict[str, str]]:
    """MiniStack (no IAM, no state kept) and the taker of answers, each a process; yields the settings to reach them."""
    with tempfile.TemporaryDirectory(prefix="oms-bench-") as folder:
        work_dir = Path(folder)
        environment = {"AUTH": "false", "PERSIST_STATE": "0", "S3_PERSIST": "0", "LOG_LEVEL": "WARNING"}
        with LocalStack(free_port(), work_dir, STAGE, environment=environment) as stack:
            stack.start()
            port = free_port()
            command = [sys.executable, "-m", "tools.bench_engine", str(port)]
            taker = processes.start_logged(command, dict(os.environ), work_dir / "answers.log", PROJECT)
            try:
                yield SETTINGS | {
                    "AWS_ENDPOINT_URL_DYNAMODB": stack.endpoint_url,
                    "AWS_ENDPOINT_URL_SFN": f"http://127.0.0.1:{port}",
                }
            finally:
                processes.end_group(taker)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@cache
def resources() -> dict[str, Any]:
    """What template.yaml deploys, by logical id."""
    template: dict[str, Any] = yaml_parse((PROJECT / "template.yaml").read_text("utf-8"))
    found: dict[str, Any] = template["Resources"]
    return found


def batch_size() -> int:
    """Messages that an invocation of the allocation gets at most."""
    (messages,) = resources()["QueueAllocationFunction"]["Properties"]["Events"].values()
    return int(messages["Properties"]["BatchSize"])


def create_tables() -> None:
    """The tables of template.yaml with their keys and indexes; those left from an earlier case are emptied."""
    dynamodb = clients.client("dynamodb")
    left = set(dynamodb.list_tables()["TableNames"])
    for resource in resources().values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            properties = resource["Properties"]
            name = properties["TableName"]["Fn::Sub"].replace("${Stage}", STAGE)
            if name in left:
                dynamodb.delete_table(TableName=name)
            dynamodb.create_table(TableName=name, **{key: properties[key] for key in WANTED if key in properties})


def put_all(table: str, values: Iterable[Any]) -> None:
    """Writes dataclasses or mappings as items, many at once."""
    puts = [{"PutRequest": {"Item": to_item(value)}} for value in values]
    parts = [puts[start : start + PUTS_AT_ONCE] for start in range(0, len(puts), PUTS_AT_ONCE)]
    dynamodb = clients.client("dynamodb")

    def put(part: list[Any]) -> None:
        left = dynamodb.batch_write_item(RequestItems={TABLE_PREFIX + table: part})["UnprocessedItems"]
        if left:
            raise RuntimeError(f"{table}: {len(left)} items not written")

    with ThreadPoolExecutor(WRITERS) as writers:
        for _ in writers.map(put, parts):
            pass


async def _take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says yes to every request of a connection."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            writer.write(DONE)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def take_answers(port: int) -> None:
    """Step Functions as far as SendTaskSuccess and SendTaskFailure go: it takes every answer."""
    server = await asyncio.start_server(_take, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(take_answers(int(sys.argv[1])))
