from __future__ import annotations
from dataclasses import replace
from oms.domain.stock import StockPosition
from tests.integration.company import at, balance, incoming, order_id, released, report, shelve, worker, Worker
from tests.integration.stage import LOCATIONS, Stage


def test_excluded_claim(stage: Stage) -> None:
    made = worker()
    stage.put("stock", StockPosition(sku="MUG", location_id="WH-WEST"))
    order = released(made, lines={"MUG": 10})
    print([ (f.location_id) for f in order.fulfillments])
    print(made.report(report("rejected", order, reason_code="CLOSED_TODAY")).failed)
    print(stage.position("MUG", "WH-EAST"))
    print(made.allocate(order.order_id, hours=2))
    after = stage.order(order.order_id)
    print(after.status, after.waiting_for, after.lines[0].backordered, after.lines[0].excluded_locations)
    two = made.take(incoming(2, {"MUG": 1}), hours=2).order.order_id
    print(made.allocate(two, hours=2.1))
    print("younger:", stage.order(two).status, stage.order(two).lines[0].backordered)
    print(made.notebook.told)
