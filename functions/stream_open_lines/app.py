"""The stream of open lines: where the units that wait for a location changed, channels are owed news of the sku."""

from __future__ import annotations

from typing import Any

from oms import wiring
from oms.runtime.batches import BatchAnswer, Record, together
from oms.runtime.clock import now
from oms.runtime.functions import lambda_handler

publishing = wiring.publishing()


@lambda_handler
def handler(event: dict[str, Any], context: object) -> BatchAnswer:
    """All news of a sku in the batch is one."""
    return together(event, _sku, _mark)


def _mark(records: list[Record]) -> None:
    if not all(_is_expired(record) for record in records):
        publishing.mark_changed([_sku(records[0])], now())


def _sku(record: Record) -> str:
    return str(record["dynamodb"]["Keys"]["sku"]["S"])


def _is_expired(record: Record) -> bool:
    """Whether DynamoDB took the row out because its time was over: it was closed long ago."""
    return (record.get("userIdentity") or {}).get("principalId") == "dynamodb.amazonaws.com"
