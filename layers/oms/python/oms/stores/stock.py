"""`stock` and `stock_movements`: the positions, and the ledger that explains every change to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from oms.domain.errors import WriteConflict
from oms.domain.ids import short_hash
from oms.domain.stock import Bucket, StockMove, StockPosition, net, taken
from oms.stores.attribute_values import to_item
from oms.stores.documents import format_time, from_document
from oms.stores.table import ConditionFailedError, Table, our_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

STILL_AVAILABLE = "#available >= :taken"
ON_HAND_AS_READ = "#on_hand = :on_hand_read"
NOT_BOOKED_YET = "attribute_not_exists(sku)"


class StockStore:
    """Positions by sku and location. A position changes only together with a movement record."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}stock")
        self.movements = Table(client, f"{table_prefix}stock_movements")

    def of_skus(self, skus: Iterable[str]) -> list[StockPosition]:
        """Every position of these skus, strongly consistent."""
        found = []
        for sku in sorted(set(skus)):
            found += self.of_sku(sku)
        return found

    def of_sku(self, sku: str) -> list[StockPosition]:
        """Every position of one sku, strongly consistent."""
        return [decode(item) for item in self.table.query_all("#sku = :s", {":s": sku}, consistent=True)]

    def get(self, sku: str, location_id: str) -> StockPosition:
        """The position as it is now; all zero where nothing was ever booked."""
        item = self.table.get({"sku": sku, "location_id": location_id})
        return decode(item) if item else StockPosition(sku=sku, location_id=location_id)

    def position_action(self, moves: Sequence[StockMove], now: datetime) -> Any:
        """The update that adds the moves of one position, refused if they take more than is available."""
        deltas, units = net(moves), taken(moves)
        expression = "ADD " + ", ".join(f"#{bucket} :{bucket}" for bucket in Bucket) + " SET #updated_at = :now"
        values: dict[str, Any] = {f":{bucket}": deltas.get(bucket, 0) for bucket in Bucket}
        values[":now"] = format_time(now)
        if units:
            values[":taken"] = units
        key = {"sku": moves[0].sku, "location_id": moves[0].location_id}
        return self.table.update_action(key, expression, values, STILL_AVAILABLE if units else "")

    def movement_action(self, moves: Sequence[StockMove], orders: Sequence[tuple[str, int]], now: datetime) -> Any:
        """The put of the movement record of one position: what changed, why, and for which (order_id, version)."""
        return self.movements.put_action(movement(moves, orders, now), NOT_BOOKED_YET)

    def book_count(self, move: StockMove, counted_from: int, now: datetime) -> bool:
        """Writes a counted difference with its movement; False when on_hand changed since it was read."""
        update = self.position_action([move], now)
        condition, values = ON_HAND_AS_READ, {":on_hand_read": counted_from}
        if counted_from == 0:
            condition = f"attribute_not_exists(sku) OR {condition}"
        update |= {"ConditionExpression": condition}
        update["ExpressionAttributeValues"] |= to_item(values)
        movement_put = self.movement_action([move], [(f"count@{counted_from}", 0)], now)
        try:
            with our_errors():
                self.table.client.transact_write_items(TransactItems=[{"Update": update}, {"Put": movement_put}])
        except (ConditionFailedError, WriteConflict):
            return False
        return True


def decode(item: dict[str, Any]) -> StockPosition:
    """The position of a stored item."""
    return from_document(StockPosition, item)


def movement(moves: Sequence[StockMove], orders: Sequence[tuple[str, int]], now: datetime) -> dict[str, Any]:
    """The movement record: its id follows from the orders and versions it is for, so booking twice is refused."""
    sku, location_id, at = moves[0].sku, moves[0].location_id, format_time(now)
    digest = short_hash(sku, location_id, *(f"{order_id}@{version}" for order_id, version in sorted(orders)))
    record: dict[str, Any] = {
        "sku": sku,
        "movement_id": f"{at}#{location_id}#{digest}",
        "location_id": location_id,
        "location_day": f"{location_id}#{at[:10]}",
        "effective_at": at,
        "kinds": sorted({move.kind.value for move in moves}),
        "changes": {bucket.value: delta for bucket, delta in net(moves).items()},
        "orders": [{"order_id": order_id, "version": version} for order_id, version in orders],
    }
    return record
