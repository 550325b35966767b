"""The rows `rate_limit` of `settings`: whose turn it is to call a channel, shared by all workers.

A turn is one conditional update in the usual case: the worker remembers the row as it last saw it and decides by that;
where the row is another by now, the refused update brings its image, and the worker decides once more. No turn is read
and then written: many workers may move the same moment on at once, and none takes a turn that another has.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from oms.domain.rate_limits import Bucket, Move, Rate, Turn, closed_until, interval_ms, next_turn
from oms.stores.attribute_values import from_item
from oms.stores.documents import format_time, from_document
from oms.stores.table import ConditionFailedError, Table, our_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KIND = "rate_limit"
MAX_TRIES = 5
"""Updates tried for one turn; by then so many others took theirs that waiting a moment is better."""

BUSY_SECONDS = 0.2
MAX_REMEMBERED = 1_000

_SAME_RATE = "(attribute_not_exists(interval_ms) OR #interval_ms = :told)"
_NO_RATE = "attribute_not_exists(interval_ms)"
_OPEN = "(attribute_not_exists(closed_until_ms) OR #closed_until_ms <= :now)"
_FREE = "(attribute_not_exists(free_at_ms) OR #free_at_ms <= :now)"
_WITHIN_BURST = "#free_at_ms > :now AND #free_at_ms <= :latest"


class RateLimits:
    """Turns of all buckets. Make one per worker; `clock` is the time of day in seconds since 1970."""

    def __init__(self, client: DynamoDBClient, table_prefix: str, clock: Callable[[], float] = time.time) -> None:
        self.table = Table(client, f"{table_prefix}settings")
        self._clock = clock
        self._seen: dict[str, Bucket] = {}

    def take(self, bucket: str, limit: Rate) -> float:
        """Takes a turn and returns 0, or takes none and returns the seconds until there is one. Raises Retryable."""
        for _ in range(MAX_TRIES):
            turn = next_turn(self._seen.get(bucket, Bucket()), limit, self._now_ms())
            if not isinstance(turn, Turn):
                return turn  # what is remembered is never later than what is true: others only move it on
            if self._took(bucket, turn):
                return 0.0
        return BUSY_SECONDS

    def learn(self, bucket: str, limit: Rate, per_second: float) -> None:
        """The channel told its rate: from now on every worker keeps to it. Raises Retryable."""
        told = interval_ms(per_second)
        known = self._seen.get(bucket, Bucket()).interval_ms or interval_ms(limit.per_second)
        if told == known:
            return
        values = {":told": told, ":at": format_time(datetime.fromtimestamp(self._clock(), UTC))}
        self._update(bucket, "SET #interval_ms = :told, #learnt_at = :at", values)

    def close(self, bucket: str, limit: Rate, seconds: float) -> None:  # noqa: ARG002 - it holds at any rate
        """Nobody may call for so long, at most MAX_CLOSED_SECONDS; a longer pause that stands, stays."""
        values = {":until": closed_until(self._now_ms(), seconds)}
        condition = "attribute_not_exists(closed_until_ms) OR #closed_until_ms < :until"
        try:
            self._update(bucket, "SET #closed_until_ms = :until", values, condition)
        except ConditionFailedError as failed:
            self._remember(bucket, failed.image)

    def _took(self, bucket: str, turn: Turn) -> bool:
        told = self._seen.get(bucket, Bucket()).interval_ms
        restart = turn.move is Move.RESTART
        expression = "SET #free_at_ms = :next" if restart else "SET #free_at_ms = #free_at_ms + :interval"
        condition = f"{_SAME_RATE if told else _NO_RATE} AND {_OPEN} AND {_FREE if restart else _WITHIN_BURST}"
        values: dict[str, Any] = {":now": turn.now_ms} | ({":told": told} if told else {})
        if restart:
            values |= {":next": turn.now_ms + turn.interval_ms}
        else:
            values |= {":interval": turn.interval_ms, ":latest": turn.latest_ms}
        try:
            self._update(bucket, expression, values, condition)
        except ConditionFailedError as failed:
            self._remember(bucket, failed.image)
            return False
        return True

    def _update(self, bucket: str, expression: str, values: dict[str, Any], condition: str = "") -> None:
        action = self.table.update_action(_key(bucket), expression, values, condition)
        with our_errors():
            answer = self.table.client.update_item(**action, ReturnValues="ALL_NEW")
        self._remember(bucket, from_item(answer["Attributes"]))

    def _remember(self, bucket: str, row: dict[str, Any] | None) -> None:
        if len(self._seen) >= MAX_REMEMBERED:
            self._seen.clear()
        self._seen[bucket] = from_document(Bucket, row) if row else Bucket()

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _key(bucket: str) -> dict[str, str]:
    return {"kind": KIND, "name": bucket}
