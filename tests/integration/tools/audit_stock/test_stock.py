"""The operator's command proves that the stock adds up, says why it does not, and repairs what is safe."""

from __future__ import annotations

from oms.domain.catalog import Product
from oms.domain.stock import StockPosition
from tests.integration.carts import Desk
from tests.integration.company import Worker, incoming, released, report
from tests.integration.stage import Stage
from tests.integration.tools.audit_stock.ledger import (
    EAST,
    WEST,
    Run,
    busy_day,
    change,
    delete,
    drift,
    is_clean,
    movements,
    position,
)


def test_a_busy_day_of_every_kind_of_flow_adds_up(stage: Stage, run: Run) -> None:
    busy_day(stage)
    found = run()
    assert found["drifts"] == []
    assert is_clean(found)
    assert found["looked_at_again"] == 0
    assert (found["positions"], found["backorders"], found["orders"]) == (
        len(stage.rows("stock")),
        len(stage.rows("backorders")),
        len(stage.rows("orders")),
    )


def test_a_position_changed_by_hand_is_set_back_to_its_ledger(stage: Stage, run: Run, made: Worker) -> None:
    released(made, 1, {"MUG": 2})
    good = position(stage)
    change("stock", good, available=9, committed=1)
    one = drift(run())
    assert (one["kind"], one["sku"], one["location_id"]) == ("LEDGER_DIFFERS", "MUG", EAST)
    assert (one["safe"], one["held"]["committed"]) == ("LEDGER", 2)
    assert "stands at on_hand 10, available 9, committed 1" in one["says"]
    assert "its movements add up to on_hand 10, available 8, committed 2" in one["says"]
    before = stage.rows("stock_movements")
    repaired = run("--repair", "--yes")
    assert (is_clean(repaired), repaired["repaired"]) == (True, 1)
    assert position(stage) == good | {"updated_at": position(stage)["updated_at"]}
    (row,) = [row for row in stage.rows("stock_movements") if row not in before]
    assert (row["kinds"], row["reason_code"], row["changes"]) == (["CORRECTION"], "AUDIT", {})
    assert row["position_changes"] == {"available": -1, "committed": 1}
    assert (is_clean(run()), run("--repair", "--yes")["repaired"]) == (True, 0)


def test_a_position_that_does_not_add_up_is_told_and_repaired(stage: Stage, run: Run) -> None:
    change("stock", position(stage), available=7)
    one = drift(run())
    assert (one["kind"], one["safe"]) == ("UNBALANCED", "LEDGER")
    assert "which does not add up" in one["says"]
    assert is_clean(run("--repair", "--yes"))
    assert position(stage)["available"] == 10


def test_a_position_that_was_lost_is_made_again_from_its_movements(stage: Stage, run: Run, made: Worker) -> None:
    released(made, 1, {"MUG": 2})
    lost = position(stage)
    delete("stock", sku="MUG", location_id=EAST)
    assert drift(run())["safe"] == "LEDGER"
    assert is_clean(run("--repair", "--yes"))
    again = position(stage)
    assert {name: again[name] for name in ("on_hand", "available", "committed")} == {
        name: lost[name] for name in ("on_hand", "available", "committed")
    }


def test_a_lost_movement_is_made_good_and_names_the_order_it_was_of(stage: Stage, run: Run, made: Worker) -> None:
    order = released(made, 1, {"MUG": 2})
    (row,) = movements(stage, kind="COMMIT")
    delete("stock_movements", sku="MUG", movement_id=row["movement_id"])
    one = drift(run())
    assert (one["kind"], one["safe"], one["orders"]) == ("LEDGER_DIFFERS", "POSITION", [order.order_id])
    assert f"Order {order.order_id} holds 2 by its document, 0 were promised to it by the movements" in one["says"]
    stands = position(stage)
    assert is_clean(run("--repair", "--yes"))
    assert position(stage) == stands
    (made_good,) = movements(stage, kind="CORRECTION")
    assert made_good["changes"] == {"available": -2, "committed": 2}
    assert made_good["entries"] == [{"order_id": order.order_id, "quantity": 2, "committed": 2}]
    made.report(report("shipped", order), hours=2)
    assert is_clean(run())


def test_a_lost_movement_of_a_shipment_is_made_good(stage: Stage, run: Run, made: Worker) -> None:
    order = released(made, 1, {"MUG": 2})
    made.report(report("shipped", order), hours=2)
    (row,) = movements(stage, kind="SHIP")
    delete("stock_movements", sku="MUG", movement_id=row["movement_id"])
    assert drift(run())["safe"] == "POSITION"
    assert is_clean(run("--repair", "--yes"))
    assert movements(stage, kind="CORRECTION")[0]["changes"] == {"on_hand": -2, "committed": -2}


def test_a_lost_movement_of_a_cart_is_made_good(stage: Stage, run: Run) -> None:
    desk = Desk()
    desk.hold(("MUG", 2))
    (row,) = movements(stage, kind="RESERVE")
    delete("stock_movements", sku="MUG", movement_id=row["movement_id"])
    one = drift(run())
    assert "Cart cart-1 holds 2 by its document" in one["says"]
    assert is_clean(run("--repair", "--yes"))
    desk.place(1, {"MUG": 2})
    assert is_clean(run())


def test_opening_stock_that_was_put_without_a_movement_gets_one(stage: Stage, run: Run) -> None:
    stage.put("stock", StockPosition(sku="TRAY", location_id=WEST, on_hand=7, available=6, damaged=1))
    one = drift(run())
    assert (one["safe"], "it has no movements" in one["says"]) == ("POSITION", True)
    assert is_clean(run("--repair", "--yes"))
    assert movements(stage, "TRAY")[0]["changes"] == {"on_hand": 7, "available": 6, "damaged": 1}


def test_a_ledger_without_its_beginning_is_left_to_a_person(stage: Stage, run: Run, made: Worker) -> None:
    stage.put("products", Product(sku="TRAY", grams=100))
    stage.put("stock", StockPosition(sku="TRAY", location_id=EAST, on_hand=7, available=7))
    order = made.take(incoming(1, {"TRAY": 2})).order
    assert made.allocate(order.order_id) == []
    one = drift(run("--repair", "--yes"))
    assert (one["safe"], one["repairs"]) == (None, ["LEDGER", "POSITION"])
    assert "--repair --sku TRAY --trust ledger or --trust position" in one["advice"]
    assert is_clean(run("--repair", "--yes", "--sku", "TRAY", "--trust", "position"))
    assert position(stage, "TRAY")["available"] == 5
    assert is_clean(run())


def test_a_movement_changed_by_hand_is_told_and_history_is_not_edited(stage: Stage, run: Run, made: Worker) -> None:
    released(made, 1, {"MUG": 2})
    (row,) = movements(stage, kind="COMMIT")
    change("stock_movements", row, changes={"available": -3, "committed": 3})
    kinds = {one["kind"] for one in run("--repair", "--yes")["drifts"]}
    assert "UNEVEN_MOVEMENT" in kinds
    assert stage.rows("stock_movements").count(row | {"changes": {"available": -3, "committed": 3}}) == 1
