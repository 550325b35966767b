"""A position whose buckets do not add up, after an edit by hand say, stops only those who need it."""

from __future__ import annotations

from typing import Any

from oms.domain.order import OrderStatus
from oms.runtime import clients
from oms.stores.attribute_values import to_item
from tests.integration.company import incoming, released, report, worker
from tests.integration.stage import PREFIX, Stage


def spoil(stage: Stage, sku: str, location_id: str = "WH-EAST", **facts: Any) -> None:
    """A position with a unit too many in one bucket, and further facts."""
    row = next(one for one in stage.rows("stock") if (one["sku"], one["location_id"]) == (sku, location_id))
    spoilt = row | {"available": row["available"] + 1} | facts
    clients.client("dynamodb").put_item(TableName=f"{PREFIX}stock", Item=to_item(spoilt))


def test_orders_of_other_skus_in_the_batch_are_allocated(stage: Stage) -> None:
    made = worker()
    stopped, free = (made.take(incoming(n, {sku: 1})).order.order_id for n, sku in ((1, "MUG"), (2, "BOWL")))
    spoil(stage, "MUG")
    assert len(made.allocate(stopped, free)) == 1
    assert (stage.order(stopped).status, stage.order(free).status) == (OrderStatus.RECEIVED, OrderStatus.ALLOCATED)


def test_reports_of_other_skus_in_the_batch_are_booked(stage: Stage) -> None:
    made = worker()
    stopped, free = released(made, 1, {"MUG": 1}), released(made, 2, {"BOWL": 1})
    spoil(stage, "MUG", snapshot_as_of="2099-01-01T00:00:00Z")
    shipped = [
        report("shipped", order, shipment_id=f"p{number}") for number, order in enumerate((stopped, free), start=1)
    ]
    assert len(made.report(*shipped).failed) == 1
    assert stage.order(stopped.order_id).status is OrderStatus.RELEASED
    assert stage.order(free.order_id).status is OrderStatus.SHIPPED
