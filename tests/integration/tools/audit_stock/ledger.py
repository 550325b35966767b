"""What audits are tried on: a busy day's stock, edits by hand, and what an audit found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oms.domain import stock as moves
from oms.domain.changes import StockChange
from oms.runtime import clients
from oms.stores.attribute_values import to_item
from tests.integration.carts import Desk
from tests.integration.company import at, incoming, received, released, report, worker
from tests.integration.stage import PREFIX, Stage

EAST, WEST = "WH-EAST", "WH-WEST"
Run = Callable[..., dict[str, Any]]
Row = dict[str, Any]


def client() -> Any:
    return clients.client("dynamodb")


def delete(table: str, **key: str) -> None:
    client().delete_item(TableName=PREFIX + table, Key=to_item(key))


def change(table: str, row: Row, **facts: Any) -> None:
    """Somebody edits a row by hand."""
    client().put_item(TableName=PREFIX + table, Item=to_item(row | facts))


def receive(sku: str, location_id: str, units: int, hours: float = 0) -> None:
    one = received(sku, location_id, units, hours, f"receipt-{sku}-{location_id}-{units}")
    assert worker().commit.commit_one(one).committed


def position(stage: Stage, sku: str = "MUG", location_id: str = EAST) -> Row:
    return next(row for row in stage.rows("stock") if (row["sku"], row["location_id"]) == (sku, location_id))


def movements(stage: Stage, sku: str = "MUG", kind: str = "") -> list[Row]:
    return [row for row in stage.rows("stock_movements") if row["sku"] == sku and (not kind or kind in row["kinds"])]


def drift(found: dict[str, Any]) -> Row:
    """The only thing that does not add up."""
    assert found["exit"] == 1
    (one,) = found["drifts"]
    return dict(one)


def is_clean(found: dict[str, Any]) -> bool:
    return found["exit"] == 0 and found["drifts"] == [] and found["busy"] == []


def busy_day(stage: Stage) -> None:
    """Orders, kits, carts, a shortage, a short pick, a loss and a cancellation, in every state of their life."""
    made, desk = worker(), Desk()
    shipped = released(made, 1, {"MUG": 1, "BOWL": 1})
    for number in range(1, len(shipped.fulfillments) + 1):
        made.report(report("shipped", shipped, number, shipment_id=f"parcel-{number}"))
    released(made, 2, {"SET": 1, "KETTLE": 1})
    short = released(made, 3, {"MUG": 1})
    made.report(report("short_picked", short, lines={"L1": 1}, reason_code="NOT_FOUND"), hours=1)
    waits = made.take(incoming(4, {"KETTLE": 9})).order.order_id
    made.allocate(waits)
    cancelled = made.take(incoming(5, {"BOWL": 1})).order.order_id
    assert made.allocate(cancelled) == []
    made.decisions.cancel(cancelled, "CUSTOMER", "test", at(0.1))
    desk.hold(("MUG", 1), reservation_id="cart-open")
    desk.hold(("MUG", 2), reservation_id="cart-bought")
    desk.place(7, {"MUG": 1}, "cart-bought")
    desk.hold(("BOWL", 1), reservation_id="cart-left")
    desk.release("cart-left")
    late = StockChange(
        change_id="lost", effective_at=at(3), at=at(3), actor="test", moves=(moves.adjust("MUG", WEST, -1),)
    )
    assert made.commit.commit_one(late).committed
    assert stage.rows("backorders")
