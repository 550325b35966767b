"""SQS and stream batches: which messages failed, so that only those come again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from oms.domain.errors import Retryable
from oms.runtime.functions import logger, where

BatchAnswer = dict[str, list[dict[str, str]]]


def each_message(event: dict[str, Any], work: Callable[[dict[str, Any]], None]) -> BatchAnswer:
    """Works on each SQS record by itself; those whose work is Retryable, or hit a bug, come again."""
    return failures(record["messageId"] for record in event["Records"] if not _done(record, work))


def each_in_order(event: dict[str, Any], work: Callable[[dict[str, Any]], None]) -> BatchAnswer:
    """Works on stream records in order and stops at the first that fails: it and what follows come again."""
    for record in event["Records"]:
        if not _done(record, work):
            return failures([record["dynamodb"]["SequenceNumber"]])
    return failures([])


def failures(identifiers: Iterable[str]) -> BatchAnswer:
    """The answer that makes exactly these records come again."""
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}


def _done(record: dict[str, Any], work: Callable[[dict[str, Any]], None]) -> bool:
    try:
        work(record)
    except Retryable as error:
        logger.warning("comes again", extra={"reason": type(error).__name__})
        return False
    except Exception as error:  # noqa: BLE001 - a bug must cost one message, not the batch; it ends in the dead letters
        logger.error("failed", extra={"reason": type(error).__name__, "where": where(error)})
        return False
    return True
