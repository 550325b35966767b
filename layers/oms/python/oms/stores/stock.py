"""`stock`: one position per sku and location. Positions change only through a commit, with a movement beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any

from oms.domain.changes import Count, Expectation
from oms.domain.errors import InvariantBroken
from oms.domain.stock import OVERSOLD, Bucket, StockMove, StockPosition, net, required
from oms.stores.documents import format_time, from_document, to_document
from oms.stores.table import ConditionFailedError, Page, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

READERS = 8
"""Skus that are read at the same time."""

OVERSOLD_UNMARKED = "#available < :none AND attribute_not_exists(problem)"
RECOVERED_MARKED = "#available >= :none AND attribute_exists(problem)"
_NOT_COUNTED_SINCE = "(attribute_not_exists(#snapshot_as_of) OR #snapshot_as_of < :happened_at)"


class StockStore:
    """Positions by sku and location."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}stock")

    def of_skus(self, skus: Iterable[str]) -> list[StockPosition]:
        """Every position of these skus, strongly consistent. Raises InvariantBroken where one does not add up."""
        positions: list[StockPosition] = []
        for found in self.read_skus(skus).values():
            if isinstance(found, InvariantBroken):
                raise found
            positions += found
        return positions

    def read_skus(self, skus: Iterable[str]) -> dict[str, list[StockPosition] | InvariantBroken]:
        """The positions of each of these skus, strongly consistent; a sku with one that does not add up is told as an
        error."""
        wanted = sorted(set(skus))
        if len(wanted) < 2:
            return {sku: self._read_sku(sku) for sku in wanted}
        with ThreadPoolExecutor(READERS) as readers:
            return dict(zip(wanted, readers.map(self._read_sku, wanted), strict=True))

    def _read_sku(self, sku: str) -> list[StockPosition] | InvariantBroken:
        try:
            return self.of_sku(sku)
        except InvariantBroken as error:
            return error

    def of_sku(self, sku: str) -> list[StockPosition]:
        """Every position of one sku, strongly consistent."""
        return [decode(item) for item in self.table.query_all("#sku = :s", {":s": sku}, consistent=True)]

    def get(self, sku: str, location_id: str) -> StockPosition:
        """The position as it is now; all zero where nothing was ever booked."""
        item = self.table.get({"sku": sku, "location_id": location_id})
        return decode(item) if item else StockPosition(sku=sku, location_id=location_id)

    def update_action(
        self, position: tuple[str, str], moves: Sequence[StockMove], now: datetime, claimed: int = 0
    ) -> Any:
        """The update that adds moves to a position, refused if they take more than there is (`required`) or leave
        less than is claimed, or if units came or went before the position was last counted (`after_count`)."""
        adds, sets, values = _additions(moves, now)
        needed = required(moves)
        if claimed:
            needed[Bucket.AVAILABLE] = needed.get(Bucket.AVAILABLE, 0) + claimed
        conditions = [f"#{bucket} >= :needed_{bucket}" for bucket in needed]
        values |= {f":needed_{bucket}": units for bucket, units in needed.items()}
        conditions += _not_counted_since(moves, values)
        return self._update(position, f"ADD {adds} SET {sets}", values, conditions)

    def claim_action(self, position: tuple[str, str], claimed: int) -> Any:
        """The check that so many units stay available at a position that nothing is taken from."""
        return self.table.check_action(self._key(position), "#available >= :claimed", {":claimed": claimed})

    def count_action(self, count: Count, moves: Sequence[StockMove], now: datetime) -> Any:
        """The update that books a count: on the position as it was read, and never an older count than the last."""
        adds, sets, values = _additions(moves, now)
        values |= {":as_of": format_time(count.as_of), ":read": count.on_hand_version}
        unread = "#on_hand_version = :read"
        if not count.on_hand_version:
            unread = f"(attribute_not_exists(#on_hand_version) OR {unread})"
        older = "(attribute_not_exists(#snapshot_as_of) OR #snapshot_as_of < :as_of)"
        expression = f"ADD {adds} SET {sets}, #snapshot_as_of = :as_of"
        return self._update((count.sku, count.location_id), expression, values, [unread, older])

    def expectation_action(self, expectation: Expectation, moves: Sequence[StockMove], now: datetime) -> Any:
        """The update that replaces what is on its way, with the moves of what arrived of it."""
        adds, sets, values = _additions(moves, now)
        before, after = to_document(expectation.before), to_document(expectation.after)
        values[":after"] = after
        values[":before"] = before
        condition = "#incoming = :before"
        if not before:
            condition = f"(attribute_not_exists(#incoming) OR {condition})"
        conditions = [condition, *_not_counted_since(moves, values)]
        expression = f"ADD {adds} SET {sets}, #incoming = :after"
        return self._update((expectation.sku, expectation.location_id), expression, values, conditions)

    def _update(
        self, position: tuple[str, str], expression: str, values: dict[str, Any], conditions: Sequence[str]
    ) -> Any:
        return self.table.update_action(self._key(position), expression, values, " AND ".join(conditions))

    def _key(self, position: tuple[str, str]) -> dict[str, str]:
        return dict(zip(("sku", "location_id"), position, strict=True))

    def mark_problem(self, sku: str, location_id: str, now: datetime) -> bool:
        """Shows a position that promised more than there is in `by_problem`; False if it shows, or has recovered."""
        expression = "SET #problem = :oversold, #problem_since = :now"
        values = {":oversold": OVERSOLD, ":now": format_time(now), ":none": 0}
        return self._mark(sku, location_id, expression, values, OVERSOLD_UNMARKED)

    def clear_problem(self, sku: str, location_id: str) -> bool:
        """Takes a position that has recovered out of `by_problem`; False if it is not there, or still short."""
        return self._mark(sku, location_id, "REMOVE #problem, #problem_since", {":none": 0}, RECOVERED_MARKED)

    def with_problem(self, *, limit: int, cursor: str | None = None) -> Page:
        """One page of the positions that promised more than there is, the longest so first, seconds behind."""
        return self.table.query(
            "#problem = :oversold", {":oversold": OVERSOLD}, index="by_problem", limit=limit, cursor=cursor
        )

    def _mark(self, sku: str, location_id: str, expression: str, values: dict[str, Any], condition: str) -> bool:
        """No bucket changes, so there is no movement beside it."""
        try:
            self.table.update({"sku": sku, "location_id": location_id}, expression, values, condition)
        except ConditionFailedError:
            return False
        return True


def decode(item: dict[str, Any]) -> StockPosition:
    """The position of a stored item."""
    return from_document(StockPosition, item)


def _additions(moves: Sequence[StockMove], now: datetime) -> tuple[str, str, dict[str, Any]]:
    """What every update of a position adds and sets. All buckets are named, so that a new position shows them all."""
    deltas = net(moves)
    values: dict[str, Any] = {f":{bucket}": deltas.get(bucket, 0) for bucket in Bucket}
    values[":now"] = format_time(now)
    adds = ", ".join(f"#{bucket} :{bucket}" for bucket in Bucket)
    if any(move.deltas.get(Bucket.ON_HAND) for move in moves):
        adds += ", #on_hand_version :one"
        values[":one"] = 1
    return adds, "#updated_at = :now", values


def _not_counted_since(moves: Sequence[StockMove], values: dict[str, Any]) -> list[str]:
    """The condition that no count has seen yet what these moves change on hand; none where they change nothing."""
    happened = [move.effective_at for move in moves if move.effective_at and move.deltas.get(Bucket.ON_HAND)]
    if not happened:
        return []
    values[":happened_at"] = format_time(min(happened))
    return [_NOT_COUNTED_SINCE]
