"""SQS and stream batches: which messages failed, so that only those come again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from oms.domain.errors import Retryable
from oms.runtime.functions import logger, where

BatchAnswer = dict[str, list[dict[str, str]]]
Record = dict[str, Any]
T = TypeVar("T")


def each_message(event: dict[str, Any], work: Callable[[dict[str, Any]], None]) -> BatchAnswer:
    """Works on each SQS record by itself; those whose work is Retryable, or hit a bug, come again."""
    return failures(record["messageId"] for record in event["Records"] if not _done(record, work))


def together(
    event: dict[str, Any], key_of: Callable[[Record], str], *works: Callable[[list[Record]], None]
) -> BatchAnswer:
    """Works on all stream records of a key at once, one work after the other; the first record of those keys that
    fail, and what follows, comes again."""
    groups: dict[str, list[Record]] = {}
    for record in event["Records"]:
        groups.setdefault(key_of(record), []).append(record)
    failed = {key for work in works for key, records in groups.items() if not _done(records, work)}
    first = next((record for record in event["Records"] if key_of(record) in failed), None)
    return failures([first["dynamodb"]["SequenceNumber"]] if first else [])


def failures(identifiers: Iterable[str]) -> BatchAnswer:
    """The answer that makes exactly these records come again."""
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}


def _done(what: T, work: Callable[[T], None]) -> bool:
    try:
        work(what)
    except Retryable as error:
        logger.warning("comes again", extra={"reason": type(error).__name__})
        return False
    except Exception as error:  # noqa: BLE001 - a bug must cost one message, not the batch; it ends in the dead letters
        logger.error("failed", extra={"reason": type(error).__name__, "where": where(error)})
        return False
    return True
